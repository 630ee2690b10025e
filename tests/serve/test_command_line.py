"""What `runway-serve` says to people: help, versions, mistakes, and where to send a request."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from runway_serve.cli import build_parser, resolve
from runway_serve.config import ServeConfig
from tests.processes import clean_env, free_port
from tests.serving import serve

TESTS = Path(__file__).parents[1]
DEMANDING = TESTS / "scripts" / "demanding.py"
YML = TESTS / "idioms" / "yml"
CPU = ("--gpus", "none")
GOOD = json.dumps({"weights": [1, 2]})


def runway_serve(
    *arguments: object, env: dict[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """A run that must end by itself."""
    return subprocess.run(
        [sys.executable, "-m", "runway_serve", *map(str, arguments)],
        env=clean_env({"RW_PORT": str(free_port()), "COLUMNS": "100", **(env or {})}),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def only_line(ended: subprocess.CompletedProcess[str]) -> str:
    """The one line that a run with exit status 1 said."""
    assert (ended.returncode, ended.stdout) == (1, "")
    (line,) = ended.stderr.splitlines()
    assert line.startswith("runway-serve: ")
    return line.removeprefix("runway-serve: ")


class TestHelp:
    def test_options_are_in_groups_and_examples_follow(self):
        ended = runway_serve("--help")

        assert (ended.returncode, ended.stderr) == (0, "")
        titles = re.findall(r"^(\w[\w ]*):$", ended.stdout, re.MULTILINE)
        assert titles[-1] == "examples"
        assert {"web", "workers", "model", "queue", "files in inputs"} <= set(titles)
        assert ended.stdout.count("\n  runway-serve") >= 4

    def test_every_option_is_explained(self):
        assert [a.dest for a in build_parser()._actions if not a.help] == []

    def test_version(self):
        ended = runway_serve("--version")

        assert ended.returncode == 0
        assert re.fullmatch(r"runway-serve \d+\.\d+\.\d+\S*\n", ended.stdout)

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("--nonsense",), "unrecognized arguments: --nonsense"),
            (("--cpu-workers", "0"), "--cpu-workers: must be a whole number of at least 1, got 0"),
            (("--max-queue", "x"), "--max-queue: must be a whole number of at least 1, got x"),
            (("--port", "http"), "--port: invalid int value: 'http'"),
        ],
    )
    def test_a_bad_flag_is_named(self, arguments, said):
        ended = runway_serve(DEMANDING, *arguments)

        assert ended.returncode == 2
        assert ended.stderr.splitlines()[-1].endswith(said)


class TestScript:
    def test_one_that_does_not_exist(self):
        assert only_line(runway_serve("no_such_model.py")) == (
            "no_such_model.py does not exist; give a model script or its folder"
        )

    def test_a_folder_without_one(self, tmp_path):
        assert only_line(runway_serve(tmp_path)) == (
            f"{tmp_path}/runway_model.py does not exist; "
            "give a model script or a folder with runway.yml"
        )

    def test_this_folder_is_the_default(self, tmp_path):
        assert "runway_model.py does not exist" in only_line(runway_serve(cwd=tmp_path))

    def test_the_yml_of_another_program(self, tmp_path):
        shutil.copy(YML / "other_tool.yml", tmp_path / "runway.yml")

        assert only_line(runway_serve(tmp_path)).startswith(f"{tmp_path}/runway.yml has no entryp")

    def test_the_entrypoint_of_a_yml_is_served(self, tmp_path):
        shutil.copy(YML / "python2_entrypoint_subfolder.yml", tmp_path / "runway.yml")
        (tmp_path / "demo").mkdir()
        shutil.copy(DEMANDING, tmp_path / "demo" / "runway_model.py")

        with serve(tmp_path, *CPU, "--model-options", GOOD) as server:
            assert server.get("/meta").json()["commands"][0]["name"] == "tell"

    def test_a_broken_one_shows_its_own_traceback_once(self, tmp_path):
        script = tmp_path / "broken.py"
        script.write_text("import runway\ndef fail():\n    return 1 / 0\nfail()\nrunway.run()\n")

        ended = runway_serve(script, *CPU)

        assert ended.returncode == 1
        assert ended.stderr.count("Traceback") == 1
        shown = re.findall(r'File "(.*)", line', ended.stderr)
        assert shown == [str(script)] * 2, "frames of ours tell the author nothing"
        assert ended.stderr.splitlines()[-1] == (
            "runway-serve: no worker could start: ZeroDivisionError: division by zero"
        )


class TestModelOptions:
    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("{'a': 1}", "model options are not JSON: Expecting property name"),
            ("[1]", "model options must be a JSON object, got [1]"),
            ("", "model options are not JSON: Expecting value"),
        ],
    )
    def test_what_is_no_json_object_is_refused_at_once(self, text, said):
        assert only_line(runway_serve(DEMANDING, "--model-options", text)).startswith(said)
        by_variable = runway_serve(DEMANDING, env={"RW_MODEL_OPTIONS": text})
        assert only_line(by_variable).startswith(said)

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({}, "Missing option: weights."),
            ({"weights": "heavy"}, "Invalid argument: weights. "),
            ({"weights": [1], "scale": 9}, "Invalid argument: scale. "),
        ],
    )
    def test_a_bad_option_is_named_and_tried_once(self, options, said):
        ended = runway_serve(DEMANDING, *CPU, "--model-options", json.dumps(options))

        assert ended.returncode == 1
        assert ended.stderr.splitlines()[-1].startswith(
            f"runway-serve: no worker could start: {said}"
        )
        assert ended.stderr.count("| arguments []") == 1
        assert "Traceback" not in ended.stderr and "File " not in ended.stderr


class TestPlace:
    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("--port", 70000), "cannot bind 127.0.0.1:70000: "),
            (("--host", "192.0.2.1"), "cannot bind 192.0.2.1:"),
        ],
    )
    def test_one_that_cannot_be_bound(self, arguments, said):
        assert only_line(runway_serve(DEMANDING, *arguments)).startswith(said)

    def test_a_port_variable_that_is_no_number(self):
        ended = runway_serve(DEMANDING, env={"RW_PORT": "web"})

        assert only_line(ended) == "RW_PORT must be a number, got web"


class TestAloneRuns:
    """Runs that serve nothing are runs of the script by itself."""

    def test_meta_prints_only_json(self):
        ended = runway_serve(DEMANDING, "--", "--loud", env={"RW_META": "1"})

        assert (ended.returncode, ended.stderr) == (0, "")
        own_line, manifest = ended.stdout.splitlines()
        assert own_line == "arguments ['--loud']"
        assert [option["name"] for option in json.loads(manifest)["options"]] == [
            "weights",
            "scale",
        ]

    def test_no_serve_sets_up_and_returns(self):
        ended = runway_serve(DEMANDING, "--model-options", GOOD, env={"RW_NO_SERVE": "1"})

        assert (ended.returncode, ended.stderr) == (0, "")
        assert "set up with [1, 2] 1" in ended.stdout
        assert "no_serve" in ended.stdout

    def test_a_script_that_asks_not_to_be_served_is_not(self):
        ended = runway_serve(DEMANDING, *CPU, "--model-options", GOOD, "--", "--once")

        assert ended.returncode == 0
        assert "set up with [1, 2] 1" in ended.stdout
        assert "no_serve" in ended.stdout


class TestSettings:
    @pytest.fixture(autouse=True)
    def without_variables(self, monkeypatch):
        for name in ("HOST", "PORT", "GPUS", "MODEL_OPTIONS"):
            monkeypatch.delenv(f"RW_{name}", raising=False)

    def settings(self, *arguments: str) -> ServeConfig:
        return resolve(build_parser().parse_args([str(DEMANDING), *arguments]), [])

    def test_defaults(self):
        config = self.settings()

        assert (config.host, config.port, config.gpus) == ("127.0.0.1", 9000, "all")
        assert config.model_options is None

    def test_variables_replace_defaults_and_flags_replace_variables(self, monkeypatch):
        variables = {"HOST": "0.0.0.0", "PORT": "8001", "GPUS": "none", "MODEL_OPTIONS": '{"a": 1}'}
        for name, value in variables.items():
            monkeypatch.setenv(f"RW_{name}", value)

        config = self.settings()
        assert (config.host, config.port, config.gpus) == ("0.0.0.0", 8001, "none")
        assert config.model_options == {"a": 1}

        flags = ("--host", "::1", "--port", "0", "--gpus", "0", "--model-options", "{}")
        config = self.settings(*flags)
        assert (config.host, config.port, config.gpus) == ("::1", 0, "0")
        assert config.model_options == {}


def test_the_log_says_what_runs_where_and_how_to_ask_it():
    with serve(DEMANDING, *CPU, "--cpu-workers", "2", "--model-options", GOOD) as server:
        assert "2 workers: worker-0 on cpu, worker-1 on cpu" in server.log()
        assert f"serving demanding.py at {server.url}" in server.log()
        (url,) = re.findall(r"commands: tell; try: curl (\S+)$", server.log(), re.MULTILINE)

        with urllib.request.urlopen(url, timeout=5) as answer:
            assert answer.status == 200
