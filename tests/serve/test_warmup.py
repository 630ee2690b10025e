"""`--warmup`: what a worker ran before it said that it is ready."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.processes import free_port
from tests.serving import Served, serve

WARM = Path(__file__).parents[1] / "scripts" / "warm.py"
CPU = ("--gpus", "none", "--cpu-workers", "1")
READY = re.compile(
    r"worker worker-0 ready after [\d.]+ s: start [\d.]+, import [\d.]+, setup [\d.]+, warm-up [\d.]+"
)
MADE_UP = [
    ["plain", "a", 2, "/none", "first"],
    ["batched", [3]],
    ["batched", [3] * 8],
    ["endless"],
]
REQUESTS = [
    {"command": "batched", "inputs": {"x": 5}},
    {"command": "batched", "inputs": {"x": 6}},
    {"command": "whatever", "inputs": {"x": None}},
]


def ran(server: Served) -> list[object]:
    return server.post("whatever", {"x": 0}).json()["ran"]


def test_made_up_calls_reach_each_command_once_and_harm_nothing():
    with serve(WARM, *CPU, "--warmup", "auto") as server:
        assert ran(server) == MADE_UP
        log = server.log()

    assert "warm-up of fails failed: Error during inference: ValueError('made up')." in log
    assert "warm-up of leaves failed: it called sys.exit(4)" in log
    assert "warm-up skips whatever: no example of input x (any)" in log
    assert len(READY.findall(log)) == 1
    assert " lost: " not in log


def test_each_setup_of_a_worker_is_followed_by_a_warm_up():
    with serve(WARM, *CPU, "--warmup", "auto", "--max-batch-size", "3") as server:
        assert server.post("setup", {"tag": "second"}).status_code == 200
        assert ran(server) == [
            ["plain", "a", 2, "/none", "second"],
            ["batched", [3]],
            ["batched", [3] * 3],
            ["endless"],
        ]

        psutil.Process(server.post("whatever", {"x": 0}).json()["pid"]).kill()

        deadline = time.monotonic() + 20
        while len(READY.findall(server.log())) < 2:
            assert time.monotonic() < deadline, server.log()[-2000:]
            time.sleep(0.05)
        assert [call[0] for call in ran(server)] == ["plain", "batched", "batched", "endless"]


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(REQUESTS),
        "\n".join(map(json.dumps, REQUESTS)) + "\n",
        json.dumps({"batched": [{"x": 5}, {"x": 6}], "whatever": [{"x": None}]}),
    ],
    ids=["list", "lines", "by command"],
)
def test_the_requests_of_a_file_are_run_in_order(tmp_path, text):
    (tmp_path / "requests.json").write_text(text)

    with serve(WARM, *CPU, "--warmup", "requests.json", cwd=tmp_path) as server:
        assert ran(server) == [
            ["batched", [5]],
            ["batched", [6]],
            ["batched", [5, 6] * 4],
        ]


@pytest.mark.parametrize(
    ("requests", "said"),
    [
        ([{"command": "fails", "inputs": {"x": 1}}], "request 1 (fails): Error during inference: "),
        (
            [*REQUESTS, {"command": "batched", "inputs": {"x": 1}}],
            "request 4 (batched): Invalid argument: x. 1 is less than the minimum 3",
        ),
        ([{"command": "nope", "inputs": {}}], "request 1 (nope): Unknown command: nope."),
    ],
)
def test_a_request_of_a_file_that_fails_ends_the_start(tmp_path, requests, said):
    path = tmp_path / "requests.json"
    path.write_text(json.dumps(requests))

    ended = start(path)

    assert ended.returncode == 1
    assert f"no worker could start: --warmup {path}: {said}" in ended.stderr
    assert ended.stderr.count("setup") == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot be read"),
        ("[]", "holds no request"),
        ("{]", "is neither JSON nor JSON lines: line 1"),
        ("3", "must hold a list of requests or an object of commands"),
        ('{"batched": {"x": 1}}', "batched must be given a list of inputs"),
        ('[{"command": "batched", "inputs": [1]}]', "request 1 must be an object with"),
        ('{"command": "batched", "inputs": {}}\n{"command": 3}', "request 2 must be an object"),
    ],
)
def test_a_file_that_holds_no_requests_is_refused_before_any_worker_starts(tmp_path, text, said):
    path = tmp_path / "requests.json"
    if text is not None:
        path.write_text(text)

    ended = start(path)

    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert line.startswith(f"runway-serve: --warmup: {path}")
    assert said in line


def start(path: Path) -> subprocess.CompletedProcess[str]:
    place = ["--port", str(free_port()), "--gpus", "none", "--warmup", str(path)]
    command = [sys.executable, "-m", "runway_serve", str(WARM), *place]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
