"""Request ids and log lines: taken or made, returned, beside what the model prints in a call; text and JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.serving import run_script, serve

SCRIPT = Path(__file__).parents[1] / "scripts" / "talkative.py"
CPU = ("--gpus", "none")
NAME = "X-Request-Id"


def wait(look: Callable[[], Any]) -> Any:
    end = time.monotonic() + 10
    while not (seen := look()):
        assert time.monotonic() < end
        time.sleep(0.01)
    return seen


@pytest.fixture(scope="module")
def server():
    with serve(SCRIPT, *CPU) as served:
        yield served


def test_an_id_is_returned_as_it_was_given(server):
    for ask in (
        lambda headers: server.post("say", {"word": "x"}, headers=headers),
        lambda headers: server.post("say", {"word": 1}, headers=headers),
        lambda headers: server.post("nothing", headers=headers),
        lambda headers: server.get("/meta", headers=headers),
        lambda headers: server.get("/jobs/none", headers=headers),
        lambda headers: server.post(
            "say", {"word": "x"}, headers={**headers, "Prefer": "respond-async"}
        ),
    ):
        assert ask({NAME: "abc-1.2/3"}).headers[NAME] == "abc-1.2/3"


@pytest.mark.parametrize("bad", ["", "a b", "x" * 129, "a\tb", 'a"b', "a;b"])
def test_an_id_that_is_not_fit_for_a_log_is_replaced(server, bad):
    made = server.post("say", {"word": "x"}, headers={NAME: bad}).headers[NAME]

    assert made != bad
    assert 0 < len(made) < 40


def test_made_ids_differ(server):
    made = [server.post("say", {"word": "x"}).headers[NAME] for _ in range(20)]
    made += [server.get("/meta").headers[NAME] for _ in range(20)]

    assert len(set(made)) == 40


def test_the_models_lines_carry_the_id_of_their_call(server):
    server.post("say", {"word": "first"}, headers={NAME: "id-1"})
    server.post("say", {"word": "second"}, headers={NAME: "id-2"})
    server.post("all", {"word": "third"}, headers={NAME: "id-3"})

    lines = wait(lambda: "batch of third" in server.log() and server.log().splitlines())
    for number, word in ((1, "first"), (2, "second")):
        expected = ("printed " + word, "two", "lines " + word, "logged " + word)
        for text in expected:
            assert f"worker-0 id-{number} | {text}" in lines
    assert "worker-0 id-3 | batch of third" in lines
    assert "worker-0 | loading" in lines


def test_the_last_output_of_a_dead_worker_is_told(server):
    server.post("die", {"word": "breath"})

    wait(lambda: "worker worker-0 said last: last breath" in server.log())
    wait(lambda: server.get("/ready").status_code == 200)


def test_json_lines():
    with serve(SCRIPT, *CPU, "--log-format", "json") as server:
        server.post("say", {"word": "w"}, headers={NAME: "id-7"})
        server.post("die", {"word": "x"}, headers={NAME: "id-8"})
        wait(lambda: "ready after" in server.log().partition("exit code 3")[2])
    lines = [json.loads(line) for line in server.log().splitlines() if line]

    assert {"time", "level", "process", "message"} <= set.intersection(*map(set, lines))
    said = {
        line["message"]: line.get("request_id") for line in lines if line["process"] == "worker-0"
    }
    assert (said["printed w"], said["last x"], said["loading"]) == ("id-7", "id-8", None)
    supervisor = [line for line in lines if line["process"] == "supervisor"]
    assert {line["level"] for line in supervisor} >= {"INFO", "WARNING"}


def test_a_script_alone_returns_ids():
    with run_script(SCRIPT) as server:
        assert server.post("say", {"word": "x"}, headers={NAME: "mine"}).headers[NAME] == "mine"
        assert server.get("/meta").headers[NAME]
