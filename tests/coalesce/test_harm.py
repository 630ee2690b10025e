"""Commands whose calls would harm each other: each is found, and gives the answers of single calls meanwhile."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
import types

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs PyTorch")
from torch import nn  # noqa: E402

from tests.coalesce.running import Runner  # noqa: E402

pytestmark = pytest.mark.torch
INPUTS = [1.0, 2.0, 3.0, 4.0]


class Double(nn.Module):
    def forward(self, x):
        return x * 2


def net(model, value):
    return model(torch.full((1, 4), value))


def outcome(command, model, inputs=INPUTS, rounds=4) -> str:
    """Why the command is not coalesced; its answers have to be right all the time."""
    expected = [command(model, value) for value in inputs]
    run = Runner(command, model)
    for _ in range(rounds):
        assert run(inputs) == expected
    return run.coalescer.reason("command") or ""


def surprised(command, model, calm, inputs=INPUTS) -> str:
    """The same for a command that is harmless while it is watched, with `calm` as its input."""
    expected = [command(model, value) for value in inputs]
    run = Runner(command, model)
    run.watch(calm)
    run([calm] * 4)
    assert run.coalescer.reason("command") is None
    for _ in range(3):
        assert run(inputs) == expected
    return run.coalescer.reason("command") or ""


class TestFiles:
    def test_a_fixed_name_for_the_input(self, tmp_path):
        def command(model, value):
            np.save(tmp_path / "input.npy", np.full(4, value))
            y = net(model, value)
            return float(np.load(tmp_path / "input.npy")[0]), float(y[0, 0])

        assert "writes the file" in outcome(command, Double())

    def test_a_fixed_name_that_only_some_calls_use(self, tmp_path):
        def command(model, value):
            if value > 0:
                (tmp_path / "input.txt").write_text(str(value))
            y = net(model, value)
            return (tmp_path / "input.txt").read_text() if value > 0 else "", float(y[0, 0])

        assert "writes the file" in surprised(command, Double(), 0.0)

    def test_files_named_by_tempfile_are_nobodys_business(self):
        def command(model, value):
            with tempfile.TemporaryDirectory() as folder, tempfile.NamedTemporaryFile("w") as file:
                path = os.path.join(folder, "input.pickle")
                with open(path, "wb") as stream:
                    pickle.dump(value, stream)
                file.write(str(value))
                file.flush()
                y = net(model, value)
                with open(path, "rb") as stream, open(file.name) as text:
                    return pickle.load(stream), text.read(), float(y[0, 0])

        assert outcome(command, Double()) == ""

    def test_torch_save(self, tmp_path):
        def command(model, value):
            torch.save(torch.tensor(value), str(tmp_path / "x.pt"))
            net(model, value)
            return torch.load(str(tmp_path / "x.pt")).item()

        assert "torch.save" in outcome(command, Double())

    def test_a_process(self):
        def command(model, value):
            net(model, value)
            return subprocess.run(
                [sys.executable, "-c", f"print({value})"],
                capture_output=True,
                text=True,
                check=True,
            ).stdout

        assert outcome(command, Double(), INPUTS[:2]) == "it starts a process"

    def test_the_environment(self):
        def command(model, value):
            os.environ["COALESCE_TEST"] = str(value)
            net(model, value)
            return os.environ.pop("COALESCE_TEST")

        assert outcome(command, Double()) == "it changes the environment"


class TestSharedState:
    def test_attributes_of_the_model(self):
        """As image-to-image scripts do: set_input, test, get_current_visuals."""

        class Model:
            def __init__(self):
                self.network = Double()
                self.real = self.fake = None

            def set_input(self, value):
                self.real = value

            def test(self):
                self.fake = net(self.network, self.real)

        def command(model, value):
            model.set_input(value)
            model.test()
            return model.real, float(model.fake[0, 0])

        assert "the model." in outcome(command, Model())

    def test_attributes_that_only_some_calls_set(self):
        class Model:
            def __init__(self):
                self.network = Double()
                self.style = 0.0

        def command(model, value):
            if value > 0:
                model.style = value
            y = net(model.network, value)
            return (model.style if value > 0 else 0.0), float(y[0, 0])

        assert "the model.style" in surprised(command, Model(), 0.0)

    def test_module_globals(self):
        module = types.ModuleType("script")
        exec(
            "import torch\n"
            "last = None\n"
            "def command(model, value):\n"
            "    global last\n"
            "    last = value\n"
            "    y = model(torch.full((1, 4), value))\n"
            "    return last, float(y[0, 0])\n",
            vars(module),
        )

        assert "last" in outcome(module.command, Double())

    def test_a_list_that_grows(self):
        model = {"net": Double(), "history": []}

        def command(model, value):
            model["history"].append(value)
            y = net(model["net"], value)
            return model["history"][-1], float(y[0, 0])

        assert "history" in outcome(command, model)

    def test_an_array_that_is_painted_on(self):
        model = {"net": Double(), "canvas": np.zeros(4)}

        def command(model, value):
            model["canvas"][:] = value
            y = net(model["net"], value)
            return model["canvas"].tolist(), float(y[0, 0])

        assert "canvas" in outcome(command, model)

    def test_a_tensor_that_is_painted_on(self):
        model = {"net": Double(), "canvas": torch.zeros(4)}

        def command(model, value):
            model["canvas"].fill_(value)
            y = net(model["net"], value)
            return model["canvas"].tolist(), float(y[0, 0])

        assert "canvas" in outcome(command, model)

    def test_a_generator_of_the_scripts_own(self):
        model = {"net": Double(), "random": np.random.RandomState(1)}

        def command(model, value):
            model["random"].seed(int(value))
            y = net(model["net"], value)
            return model["random"].rand(), float(y[0, 0])

        assert "random" in outcome(command, model)

    def test_a_closure(self):
        kept = {"value": 0.0}
        network = Double()

        def command(model, value):
            kept["value"] = value
            y = net(network, value)
            return kept["value"], float(y[0, 0])

        assert "kept" in outcome(command, None)

    def test_a_cache_filled_once_is_no_harm(self):
        model = {"net": Double(), "cache": {}}

        def command(model, value):
            table = model["cache"].setdefault("table", np.arange(4.0))
            return float(net(model["net"], value)[0, 0]) + float(table[1])

        assert outcome(command, model) == ""

    def test_a_model_loaded_by_the_first_call_is_no_harm(self):
        module = types.ModuleType("script")
        exec(
            "import torch\n"
            "loaded = None\n"
            "def command(model, value):\n"
            "    global loaded\n"
            "    if loaded is None:\n"
            "        loaded = torch.nn.Identity().eval() if False else model()\n"
            "    return float(loaded(torch.full((1, 4), value))[0, 0])\n",
            vars(module),
        )

        assert outcome(module.command, Double) == ""


def test_training_is_not_coalesced():
    model = nn.Linear(4, 1)

    def command(model, value):
        model.zero_grad()
        loss = net(model, value).square().mean()
        loss.backward()
        return model.weight.grad.tolist()

    assert outcome(command, model) == "it computes gradients"


def test_a_command_without_a_network_runs_as_before():
    run = Runner(lambda model, value: value * 2, None)

    for _ in range(3):
        assert run([1, 2, 3]) == [2, 4, 6]
    assert run.order == [0, 1, 2] * 3
    assert run.coalescer.reason("command") == "it calls no network that could be shared"
    assert run.coalescer.wanted("command") == 1


def test_odd_objects_in_the_scripts_globals_do_not_hurt():
    module = types.ModuleType("script")
    exec(
        "import numpy as np\n"
        "import torch\n"
        "class Odd:\n"
        "    def __eq__(self, other): raise RuntimeError('not to be compared')\n"
        "    __hash__ = None\n"
        "array, tensor, odd = np.arange(3), torch.arange(3), Odd()\n"
        "held = {'odd': odd, 'arrays': [array], 'set': {1}}\n"
        "def command(model, value):\n"
        "    return float(model(torch.full((1, 4), value))[0, 0])\n",
        vars(module),
    )

    assert outcome(module.command, Double()) == ""


def test_a_model_that_cannot_be_looked_at_is_served_one_by_one():
    class Shy(dict):
        def items(self):
            raise RuntimeError("none of your business")

    model = Shy(net=Double())

    def command(model, value):
        return float(net(model["net"], value)[0, 0])

    assert "cannot be looked at" in outcome(command, model)
