"""Request ids and log lines: taken or made, returned, beside what the model prints in a call; text and JSON."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from websocket import create_connection

from tests.serving import run_script, serve

SCRIPT = Path(__file__).parents[1] / "scripts" / "talkative.py"
LIFE = SCRIPT.with_name("life.py")
SUBMIT = {"type": "submit", "id": "id-5", "command": "half", "inputData": {"x": 66}}
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


@pytest.mark.parametrize("form", ["text", "json"])
def test_what_failed_is_logged_once_under_the_id_of_its_call(form):
    with serve(LIFE, *CPU, "--log-format", form) as server:
        server.post("half", {"x": 66}, headers={NAME: "id-1"})
        server.post("half", {"x": "no"}, headers={NAME: "id-2"})
        server.post("half", {"x": 66}, headers={NAME: "id-3", "Prefer": "respond-async"})
        server.post("half", {"x": 66}, headers={NAME: "id-4", "Accept": "text/event-stream"})
        with closing(create_connection(f"ws://127.0.0.1:{server.port}/", timeout=10)) as socket:
            socket.send(json.dumps(SUBMIT))
            while json.loads(socket.recv())["type"] != "failed":
                pass
        server.post("end", {"how": "9"}, headers={NAME: "id-6"})
        entries = wait(lambda: failures(server.log(), form, 6))

    assert {name: level for name, level, _ in entries} == {
        "id-1": "ERROR",
        "id-2": "WARNING",
        "id-3": "ERROR",
        "id-4": "ERROR",
        "id-5": "ERROR",
        "id-6": "ERROR",
    }
    for name, _, text in entries:
        if name in ("id-1", "id-3", "id-4", "id-5"):
            assert text.startswith("Error during inference: ValueError('unlucky').\n")
            assert 'raise ValueError("unlucky")' in text
    assert dict((name, text) for name, _, text in entries)["id-6"].startswith("Worker died")


def failures(log: str, form: str, count: int) -> list[tuple[str, str, str]]:
    """Id, level and text of the front's entries that carry an id; nothing while they are fewer than `count`."""
    if form == "json":
        lines = [json.loads(line) for line in log.splitlines() if line]
        front = [line for line in lines if line["process"] == "front" and "request_id" in line]
        found = [(line["request_id"], line["level"], line["message"]) for line in front]
    else:
        entry = r"^\S+ \S+ (ERROR|WARNING) (id-\d) \| (.*?)(?=^\d{4}-|\Z)"
        matches = re.findall(entry, log, re.M | re.S)
        found = [(name, level, text) for level, name, text in matches]
    return found if len(found) == count else []


def test_calls_that_a_full_server_turns_away_do_not_fill_the_log():
    with serve(LIFE, *CPU, "--max-queue", "1") as server, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: server.post("nap", {"s": 0.3}).status_code, range(8)))
        log = server.log()

    assert answers.count(503) >= 1
    assert "Traceback" not in log and 'File "' not in log and "queue" not in log
