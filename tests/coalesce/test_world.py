"""What a call sets for itself stays with it, however calls take turns."""

from __future__ import annotations

import contextlib
import contextvars
import io
import os
import queue
import random
import sys
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs PyTorch")
from torch import nn  # noqa: E402

from tests.coalesce.running import Runner  # noqa: E402

pytestmark = pytest.mark.torch
NETWORK = nn.Linear(4, 4).eval().requires_grad_(False)
X = torch.ones(1, 4)
COUNT = 5


@pytest.fixture
def check():
    """`check(command)`: the command's results side by side, several times, equal those of single calls."""

    def run(command, inputs=tuple(range(COUNT)), model=NETWORK):
        expected = [command(model, value) for value in inputs]
        runner = Runner(command, model)
        runner.watch(inputs[0])
        for _ in range(4):
            assert runner(list(inputs)) == expected
        assert runner.sizes, runner.reasons
        return runner

    return run


class TestSeeds:
    def test_python_draws_are_those_of_the_calls_own_seed(self, check):
        def command(model, seed):
            random.seed(seed)
            first = random.random()
            model(X)
            return first, random.random(), random.gauss(0, 1)

        check(command)

    def test_numpy_draws_with_the_cached_second_gaussian(self, check):
        def command(model, seed):
            np.random.seed(seed)
            first = np.random.randn()
            model(X)
            return first, np.random.randn(), np.random.rand()

        check(command)

    def test_torch_draws(self, check):
        def command(model, seed):
            torch.manual_seed(seed)
            noise = [torch.randn(1, 4)]
            for _ in range(3):
                model(noise[-1])
                noise.append(torch.randn(1, 4))
            return [part.tolist() for part in noise]

        check(command)

    def test_equal_seeds_give_equal_draws(self, check):
        def command(model, seed):
            torch.manual_seed(3)
            model(X)
            return torch.rand(()).item()

        check(command)

    def test_functions_imported_by_name(self, check):
        namespace = {"X": X}
        exec(
            "from random import seed, random\n"
            "from torch import manual_seed, rand\n"
            "def command(model, value):\n"
            "    seed(value); manual_seed(value)\n"
            "    model(X)\n"
            "    return random(), rand(()).item()\n",
            namespace,
        )

        check(namespace["command"])

    def test_only_some_calls_seed(self):
        def command(model, seed):
            if seed is not None:
                np.random.seed(seed)
            model(X)
            return np.random.rand()

        runner = Runner(command, NETWORK)
        runner.watch(1)
        np.random.seed(99)
        stream = np.random.RandomState(99).rand(20).tolist()
        found = []
        for _ in range(4):
            one, drawn, other, drawn_too = runner([5, None, 5, None])
            assert one == other == np.random.RandomState(5).rand()
            found += [drawn, drawn_too]

        assert found == stream[: len(found)]

    def test_the_stream_of_others_goes_on_after_the_calls(self):
        def command(model, seed):
            random.seed(seed)
            model(X)
            return random.random()

        runner = Runner(command, NETWORK)
        runner.watch(1)
        random.seed(4)
        runner([1, 2, 3])

        assert random.random() == random.Random(4).random()


class TestModes:
    def test_gradient_and_inference_mode(self, check):
        def modes():
            return torch.is_grad_enabled(), torch.is_inference_mode_enabled()

        def command(model, kind):
            blocks = [contextlib.nullcontext, torch.no_grad, torch.inference_mode]
            seen = [modes()]
            with blocks[kind % 3]():
                seen.append(modes())
                y = model(X)
                seen.append(modes())
                z = model(y)
                seen.append((modes(), z.is_inference()))
            return [*seen, modes()]

        check(command, range(6))
        assert torch.is_grad_enabled() and not torch.is_inference_mode_enabled()

    def test_autocast_and_default_type(self, check):
        def command(model, kind):
            torch.set_default_dtype(torch.float64 if kind % 2 else torch.float32)
            try:
                with torch.autocast("cpu", dtype=torch.bfloat16, enabled=kind % 3 == 0):
                    y = model(X)
                    again = model(X)
                    return str(y.dtype), str(again.dtype), str(torch.tensor(1.0).dtype)
            finally:
                torch.set_default_dtype(torch.float32)

        check(command, range(6))

    def test_a_device_block_is_never_left_open(self, check):
        def command(model, kind):
            if kind == 0:
                with torch.device("meta"):
                    model(X)
                    return torch.empty(1).device.type
            model(X)
            return torch.empty(1).device.type

        check(command, (1, 2, 0, 3, 4))

    def test_warnings_numpy_errors_streams_and_context_variables(self, check):
        name = contextvars.ContextVar("name", default="nobody")

        def command(model, kind):
            name.set(f"call {kind}")
            text = io.StringIO()
            with (
                warnings.catch_warnings(record=True) as caught,
                np.errstate(divide="raise" if kind % 2 else "ignore"),
                contextlib.redirect_stdout(text),
            ):
                warnings.simplefilter("always" if kind % 2 else "ignore")
                model(X)
                print("in", kind)
                warnings.warn("w", stacklevel=1)
                return name.get(), len(caught), np.geterr()["divide"], text.getvalue()

        check(command)
        assert sys.stdout is not None

    def test_the_working_directory(self, check, tmp_path):
        home = os.getcwd()
        for index in range(COUNT):
            (tmp_path / str(index)).mkdir()

        def command(model, index):
            os.chdir(tmp_path / str(index))
            model(X)
            found = os.path.basename(os.getcwd())
            os.chdir(home)
            return found

        check(command)
        assert os.getcwd() == home


class TestOneCallIsNoOthersBusiness:
    def test_exceptions_stay_with_their_call(self):
        def command(model, value):
            if value == 1:
                raise ValueError("before")
            model(X)
            if value == 2:
                raise KeyError("after")
            return value

        runner = Runner(command, NETWORK)
        runner.watch(0)
        for _ in range(4):
            results = runner([0, 1, 2, 3])
            assert [repr(result) for result in results] == [
                "0",
                "ValueError('before')",
                "KeyError('after')",
                "3",
            ]

    def test_an_item_that_the_network_refuses_fails_alone(self):
        class Picky(nn.Module):
            def forward(self, x):
                if (x < 0).any():
                    raise ValueError("negative")
                return x * 2

        def command(model, value):
            return model(X * value).tolist()

        runner = Runner(command, Picky())
        runner.watch(1)
        for _ in range(6):
            one, bad, three = runner([1, -1, 3])
            assert (one, three) == ([[2.0] * 4], [[6.0] * 4])
            assert isinstance(bad, ValueError)
            runner([1, 2, 3])

    def test_generators_take_part_step_by_step(self, check):
        def steps(model, value):
            y = X * value
            for _ in range(1 + value % 3):
                y = model(y)
                yield y.sum().item()

        def command(model, value):
            return [round(step, 3) for step in steps(model, value)]

        check(command)

    def test_a_lock_around_the_network(self):
        import threading

        model = {"lock": threading.Lock(), "net": NETWORK}

        def command(model, value):
            with model["lock"]:
                return model["net"](X * value).sum().item()

        runner = Runner(command, model)
        runner.watch(0)
        for _ in range(3):
            assert runner([1, 2]) == [command(model, 1), command(model, 2)]

    def test_what_ends_the_process_ends_the_group(self):
        closed = (
            queue.SimpleQueue()
        )  # a list would be shared state, and the command no longer coalesced

        def command(model, value):
            try:
                model(X)
                if value == 1:
                    raise SystemExit(3)
                model(X)
            finally:
                closed.put(value)

        runner = Runner(command, NETWORK)
        runner.watch(0)
        with pytest.raises(SystemExit):
            runner([0, 1, 2])

        ended = [closed.get_nowait() for _ in range(closed.qsize())]
        assert sorted(ended[3:]) == [0, 1, 2]
