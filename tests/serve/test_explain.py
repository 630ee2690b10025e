"""`runway-serve explain`: it tells what a server would do with a script's commands and networks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runway.data_types import category, number, text
from runway.manifest import Command, Fields
from runway_serve.workers.example_calls import varied_inputs
from tests.processes import clean_env

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"


def explain(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "runway_serve", "explain", *map(str, arguments)],
        env=clean_env({}),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def commands(*arguments: object) -> dict[str, dict[str, Any]]:
    ended = explain(*arguments, "--json")
    assert ended.returncode == 0, ended.stderr
    return {command["name"]: command for command in json.loads(ended.stdout)["commands"]}


@pytest.mark.torch
class TestNetworks:
    @pytest.fixture(autouse=True)
    def torch(self):
        return pytest.importorskip("torch", reason="needs PyTorch")

    def test_a_network_that_gains_is_stacked_and_its_sizes_are_told(self):
        found = commands(SCRIPTS / "accelerated.py")

        for name in ("draw", "steps"):
            (network,) = found[name]["networks"]
            assert found[name]["side_by_side"] and found[name]["reason"] is None
            assert (network["name"], network["signature"]) == ("Network", "1x8 float32")
            assert network["stacked"] and 32 in network["paid_sizes"]
            assert network["item_ms"]["32"] < network["item_ms"]["1"] / 4  # 0.5 of 10.2 ms
        assert found["alone"]["reason"] == "it is declared with coalesce=False"
        assert found["alone"]["calls"] == 0

    def test_what_is_left_alone_has_a_reason(self):
        found = commands(SCRIPTS / "harmed.py")

        assert not any(command["side_by_side"] for command in found.values())
        assert found["keeps"]["reason"] == "it changes the model.last"
        assert found["plain"]["reason"] == "it calls no network that could be shared"
        assert found["plain"]["networks"] == []
        (careless,) = found["trains"]["networks"]
        assert not careless["stacked"]
        assert "1 is Dropout in training mode" in careless["reason"]

    def test_the_text_says_the_same(self):
        ended = explain(SCRIPTS / "harmed.py")

        assert ended.returncode == 0
        first, second, *_ = ended.stdout.splitlines()
        assert first == "keeps: one call at a time: it changes the model.last"
        assert second == "    Linear (1x1 float32): not stacked: its calls run one at a time"

    def test_calls_come_from_a_file(self, tmp_path):
        file = tmp_path / "requests.json"
        file.write_text(json.dumps({"draw": [{"seed": n} for n in range(3)]}))

        found = commands(SCRIPTS / "accelerated.py", "--requests", file, "--lanes", 8)

        assert found["draw"]["side_by_side"]
        assert max(found["draw"]["networks"][0]["paid_sizes"]) == 8
        assert found["steps"]["reason"] == "not tried: the file holds no request for it"


def script(folder: Path, body: str) -> Path:
    path = folder / "runway_model.py"
    path.write_text(f"import sys\nimport runway\n{body}\nrunway.run()\n")
    return path


ECHO = "@runway.command('echo', inputs={{'x': {}}}, outputs={{'y': runway.number}})\n"


def test_commands_that_take_batches_are_told_so():
    (command,) = commands(SCRIPTS / "batches.py").values()

    assert command["reason"] == "it is declared with batch=True and gets whole batches"


def test_commands_that_always_fail_are_told_so(tmp_path):
    body = ECHO.format("runway.number") + "def echo(model, inputs):\n    raise KeyError('weights')"

    (command,) = commands(script(tmp_path, body)).values()

    assert not command["side_by_side"]
    assert command["reason"].startswith("every call failed") and "weights" in command["reason"]


def test_what_the_script_prints_stays_out_of_the_report(tmp_path):
    body = ECHO.format("runway.number") + "def echo(model, inputs):\n    print('hi')\n    return 1"

    ended = explain(script(tmp_path, body), "--json")

    assert json.loads(ended.stdout)["commands"][0]["name"] == "echo"
    assert "hi\n" in ended.stderr


def test_options_reach_the_setup_and_its_failure_is_told(tmp_path):
    path = script(
        tmp_path,
        "@runway.setup(options={'size': runway.number})\n"
        "def setup(options):\n"
        "    if options['size'] != 2: raise ValueError('size must be 2')\n"
        + ECHO.format("runway.number")
        + "def echo(model, inputs):\n    return 1",
    )

    good, bad = (explain(path, "--model-options", json.dumps({"size": n})) for n in (2, 3))

    assert (good.returncode, good.stdout.startswith("echo: ")) == (0, True)
    assert (bad.returncode, bad.stdout) == (1, "")
    said = "runway-serve explain: runway_model.py: the setup failed"
    assert said in bad.stderr.splitlines()[-1]
    assert "size must be 2" in bad.stderr


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("sys.exit(3)", "the script ended with exit code 3"),
        ("import os\nos._exit(4)", "ended before it told anything: exit code 4"),
    ],
    ids=["raises", "exits", "dies"],
)
def test_a_script_that_does_not_load_is_an_error(body, reason, tmp_path):
    ended = explain(script(tmp_path, body))

    assert (ended.returncode, ended.stdout) == (1, "")
    assert reason in ended.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["nowhere.py"], "nowhere.py does not exist"),
        ([SCRIPTS / "batches.py", "--requests", "nowhere.json"], "--requests: "),
        ([SCRIPTS / "batches.py", "--model-options", "[]"], "must be a JSON object"),
    ],
)
def test_mistakes_of_the_command_line_are_told(arguments, reason):
    ended = explain(*arguments)

    assert (ended.returncode, ended.stdout) == (1, "")
    assert reason in ended.stderr


def test_made_up_calls_differ_within_their_types():
    types = {
        "seed": number(),
        "share": number(default=1.0, min=0.0, max=1.0),
        "count": number(default=8, min=1, max=8, step=3),
        "style": category(choices=["ink", "oil"]),
        "prompt": text(default="red", max_length=3),
    }
    inputs, outputs = Fields(types), Fields({"y": number()})

    found = varied_inputs(Command("draw", inputs, outputs), 4)

    for made in found:
        inputs.decode(made)  # raises if a value does not fit
    assert [made["seed"] for made in found] == [0, 1, 2, 3]
    assert [made["share"] for made in found] == [1.0, 0.875, 0.75, 0.625]
    assert [made["count"] for made in found] == [8, 5, 2, 8]
    assert [made["style"] for made in found] == ["ink", "oil", "ink", "oil"]
    assert [made["prompt"] for made in found] == ["red", "edr", "dre", "red"]
