"""Calls of torch modules: which are joined, which are left alone, and why."""

from __future__ import annotations

import dataclasses
import time
from collections import OrderedDict
from typing import Any, NamedTuple

import pytest

torch = pytest.importorskip("torch", reason="needs PyTorch")
from torch import nn  # noqa: E402

from tests.coalesce.running import Runner  # noqa: E402

pytestmark = pytest.mark.torch


def rows(*shape: int, count: int = 6) -> list[Any]:
    generator = torch.Generator().manual_seed(7)
    return [torch.randn(*shape, generator=generator) for _ in range(count)]


def call(model, x):
    with torch.no_grad():
        return model(x)


def assert_equal(found: Any, expected: Any) -> None:
    if isinstance(expected, torch.Tensor):
        assert found.shape == expected.shape
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    elif isinstance(expected, dict):
        assert list(found) == list(expected)
        for name in expected:
            assert_equal(found[name], expected[name])
    elif isinstance(expected, (tuple, list)):
        assert type(found) is type(expected)
        for one, other in zip(found, expected, strict=True):
            assert_equal(one, other)
    elif dataclasses.is_dataclass(expected):
        assert type(found) is type(expected)
        for part in dataclasses.fields(expected):
            assert_equal(getattr(found, part.name), getattr(expected, part.name))
    else:
        assert found == expected


def run_twice(model, inputs, function=call) -> Runner:
    """A runner after a checked and a stacked group, whose results were those of single calls."""
    expected = [function(model, value) for value in inputs]
    run = Runner(function, model)
    run.watch(inputs[0])
    for _ in range(4):
        for found, wanted in zip(run(inputs), expected, strict=True):
            assert_equal(found, wanted)
    return run


class TestJoined:
    def test_equal_calls_share_a_run_once_they_agreed(self):
        run = run_twice(nn.Linear(4, 3).eval(), rows(1, 4))

        assert sum(run.sizes.values()) >= 2
        assert run.coalescer.statistics.checks[False] == 0

    def test_calls_that_hold_several_items_each(self):
        assert run_twice(nn.Conv2d(3, 2, 3), rows(2, 3, 8, 8)).sizes

    def test_equal_inputs_are_proved_too(self):
        x = torch.ones(1, 4)

        assert run_twice(nn.Linear(4, 3), [x] * 6).sizes

    def test_nested_inputs_and_outputs(self):
        class Pair(NamedTuple):
            left: Any
            right: Any

        @dataclasses.dataclass
        class Found:
            scores: Any
            label: str = "cat"

        class Net(nn.Module):
            def forward(self, x, *, options):
                y = x * options["gain"] + options["bias"][0]
                return {
                    "pair": Pair(y, [y + 1]),
                    "found": Found(y.sum(1)),
                    "name": "net",
                    "none": None,
                }

        def command(model, x):
            return model(x, options={"gain": 2.0, "bias": (x, "unused")})

        assert run_twice(Net(), rows(1, 4), command).sizes

    def test_ordered_results_that_are_dataclasses_and_mappings(self):
        @dataclasses.dataclass
        class ModelOutput(OrderedDict):
            logits: Any = None
            loss: Any = None

            def __post_init__(self):
                for part in dataclasses.fields(self):
                    if getattr(self, part.name) is not None:
                        self[part.name] = getattr(self, part.name)

        class Net(nn.Module):
            def forward(self, x):
                return ModelOutput(logits=x.exp())

        def command(model, x):
            output = model(x)
            return {"logits": output["logits"], "same": output.logits is output["logits"]}

        assert run_twice(Net(), rows(1, 4), command).sizes

    def test_recurrent_state_that_counts_items_in_its_second_dimension(self):
        class Writer(nn.Module):
            def __init__(self):
                super().__init__()
                self.rnn = nn.LSTM(5, 7, num_layers=2, batch_first=True)

            def forward(self, x, state=None):
                return self.rnn(x, state)

        def command(model, x):
            with torch.no_grad():
                y, state = model(x)
                for _ in range(3):
                    y, state = model(y[:, :, :5], state)
            return y, state

        assert run_twice(Writer(), rows(1, 4, 5), command).sizes

    def test_sequences_that_count_items_in_the_second_dimension(self):
        assert run_twice(nn.GRU(4, 5), rows(6, 1, 4)).sizes

    def test_a_tensor_that_all_share(self):
        class Masked(nn.Module):
            def forward(self, x, mask):
                return x * mask

        mask = torch.tensor([1.0, 0.0, 1.0])

        assert run_twice(Masked(), rows(1, 3), lambda model, x: model(x, mask)).sizes

    def test_different_shapes_and_constants_are_never_joined(self):
        class Scaled(nn.Module):
            def forward(self, x, gain):
                return x * gain

        def command(model, value):
            x, gain = value
            return model(x, gain)

        wide, narrow = rows(1, 4, count=3), rows(1, 3, count=3)
        run = run_twice(
            Scaled(),
            [(x, 2.0) for x in wide] + [(x, 2.0) for x in narrow] + [(x, 3.0) for x in wide],
            command,
        )

        assert max(run.sizes) <= 3

    def test_scripted_modules(self):
        scripted = torch.jit.script(nn.Sequential(nn.Linear(4, 4), nn.ReLU()).eval())

        assert run_twice(scripted, rows(1, 4)).sizes

    def test_compiled_modules(self):
        compiled = torch.compile(nn.Sequential(nn.Linear(4, 4), nn.ReLU()).eval(), backend="eager")

        assert run_twice(compiled, rows(1, 4)).sizes

    def test_results_have_memory_of_their_own(self):
        run = run_twice(nn.Linear(4, 3), rows(1, 4))

        first, second, *_ = run(rows(1, 4))
        first.zero_()

        assert second.abs().sum() > 0
        assert second.untyped_storage().nbytes() == second.numel() * second.element_size()


class TestLeftAlone:
    @pytest.mark.parametrize(
        ("model", "shape", "reason"),
        [
            (nn.BatchNorm1d(4).train(), (2, 4), "BatchNorm1d in training mode"),
            (nn.Sequential(nn.Dropout(0.5)).train(), (1, 4), "Dropout in training mode"),
            (nn.Softmax(dim=0), (1, 4), "differ"),
            (nn.ReLU(inplace=True), (1, 4), "changes its input"),
        ],
        ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else None,
    )
    def test_layers_that_mix_or_draw(self, model, shape, reason):
        def command(model, x):
            torch.manual_seed(1)
            return model(x.clone())

        run = Runner(command, model)
        run.watch(rows(*shape)[0])
        expected = [command(model, x) for x in rows(*shape)]
        for _ in range(3):
            for found, wanted in zip(run(rows(*shape)), expected, strict=True):
                assert_equal(found, wanted)

        assert run.sizes == {}
        (text,) = run.reasons.values()
        assert reason in text

    def refused(self, model, inputs, function=call) -> str:
        expected = [function(model, value) for value in inputs]
        run = Runner(function, model)
        run.watch(inputs[0])
        for _ in range(4):
            for found, wanted in zip(run(inputs), expected, strict=True):
                assert_equal(found, wanted)
        assert run.sizes == {}
        return " / ".join(run.reasons.values())

    def test_a_mean_over_the_batch_even_when_all_items_are_equal(self):
        class Centred(nn.Module):
            def forward(self, x):
                return x - x.mean(0, keepdim=True) + x.sum()

        class Leaky(nn.Module):
            def forward(self, x):
                return x + 0.1 * x.mean(0, keepdim=True)

        assert "differ" in self.refused(Centred(), rows(1, 4))
        equal = [torch.full((1, 4), 2.0) + torch.arange(4.0)] * 6
        assert "depends on the items beside it" in self.refused(Leaky(), equal)

    def test_a_faint_trace_of_the_neighbours(self):
        class Faint(nn.Module):
            def forward(self, x):
                return x + 2e-5 * x.flip(0)

        assert "depends on the items beside it" in self.refused(Faint(), rows(1, 4))

    def test_hooks(self):
        seen: list[int] = []
        model = nn.Sequential(nn.Linear(4, 4))
        model[0].register_forward_hook(lambda *_: seen.append(1))

        assert "0 has hooks" in self.refused(model, rows(1, 4))

    def test_weight_norm_is_a_hook_that_may_stay(self):
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = nn.utils.weight_norm(nn.Linear(4, 4))

        assert run_twice(model, rows(1, 4)).sizes

    def test_random_layers(self):
        class Noisy(nn.Module):
            def forward(self, x):
                return x + 0 * torch.randn_like(x)

        assert "generator" in self.refused(Noisy(), rows(1, 4))

    def test_counters_in_buffers(self):
        class Counting(nn.Module):
            def __init__(self):
                super().__init__()
                self.register_buffer("steps", torch.zeros(()))

            def forward(self, x):
                self.steps += 1
                return x * 2

        assert "changes" in self.refused(Counting(), rows(1, 4))

    def test_modules_that_keep_their_last_result(self):
        class Keeping(nn.Module):
            def forward(self, x):
                self.features = x * 2
                return self.features

        assert "features" in self.refused(Keeping(), rows(1, 4))

    def test_outputs_without_a_batch_dimension(self):
        class Loss(nn.Module):
            def forward(self, x):
                return x.sum()

        assert "no dimension that counts items" in self.refused(Loss(), rows(1, 4))

    def test_a_network_for_one_item_only(self):
        class One(nn.Module):
            def forward(self, x):
                return x.view(1, 4) * 2

        assert "cannot run" in self.refused(One(), rows(1, 4))

    def test_a_network_that_reuses_the_memory_of_its_result(self):
        class Frugal(nn.Module):
            def __init__(self):
                super().__init__()
                self.memory = torch.zeros(1, 4)

            def forward(self, x):
                if len(x) > 1:
                    return x * 2
                return torch.mul(x, 2, out=self.memory)

        def command(model, x):
            return model(x).clone()

        self.refused(Frugal(), rows(1, 4), command)

    def test_arguments_that_are_no_tensors(self):
        class State:
            pass

        class Net(nn.Module):
            def forward(self, x, state):
                return x * 2

        reason = self.refused(Net(), rows(1, 4), lambda model, x: model(x, State()))

        assert "State" in reason

    def test_gradients_of_the_input(self):
        def command(model, x):
            x = x.clone().requires_grad_()
            model(x).square().sum().backward()
            return x.grad

        model = nn.Linear(4, 3).requires_grad_(False)
        expected = [command(model, x) for x in rows(1, 4)]
        run = Runner(command, model)
        run.watch(rows(1, 4)[0])
        for _ in range(3):
            for found, wanted in zip(run(rows(1, 4)), expected, strict=True):
                assert_equal(found, wanted)


class TestMismatchLater:
    def test_a_network_that_changes_its_ways_is_found_by_a_later_check(self):
        class Moody(nn.Module):
            mixes = False

            def forward(self, x):
                return x + x.mean(0, keepdim=True) if Moody.mixes else x * 2

        model = Moody()
        run = run_twice(model, rows(1, 4))
        run.coalescer.cases()[0].check_soon()
        Moody.mixes = True

        expected = [call(model, x) for x in rows(1, 4)]
        for found, wanted in zip(run(rows(1, 4)), expected, strict=True):
            assert_equal(found, wanted)
        assert "differ" in run.reasons["Moody"]

    def test_out_of_memory_halves_the_batch_and_remembers(self):
        class Small(nn.Module):
            limit = 100

            def forward(self, x):
                if len(x) > Small.limit:
                    raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")
                time.sleep(0.002)  # so that stacking pays
                return x * 2

        model = Small()
        run = run_twice(model, rows(1, 4, count=8))
        run(rows(1, 4, count=8))
        Small.limit = 3
        for _ in range(3):
            for found, x in zip(run(rows(1, 4, count=8)), rows(1, 4, count=8), strict=True):
                assert_equal(found, x * 2)

        assert "8 items do not fit" in run.reasons["Small"] or "4 items" in run.reasons["Small"]
        assert run.coalescer.cases()[0].size_for(8) <= 3
