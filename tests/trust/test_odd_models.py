"""Whatever a model raises or returns: who asked gets an answer, and the next call is served by the same process."""

from __future__ import annotations

import json
import re
from contextlib import closing
from pathlib import Path

import pytest
import websocket

from tests.scripts.oddities import ERRORS, PROGRESSES, TYPES, VALUES
from tests.serving import Served, run_script, serve
from tests.trust.kinds import ONE, case, metric, wait_for

SCRIPT = Path(__file__).parents[1] / "scripts" / "odd.py"
KINDS = ("fail", "fail_late", "fail_batch")


@pytest.fixture(scope="module")
def served():
    with serve(SCRIPT, *ONE) as server:
        yield server
        assert metric(server, "runway_worker_restarts_total") == 0


@pytest.fixture(scope="module")
def local():
    with run_script(SCRIPT) as server:
        yield server


@pytest.fixture(params=["served", "local"])
def server(request) -> Served:
    return request.getfixturevalue(request.param)


@case(13)
@pytest.mark.parametrize("command", KINDS)
@pytest.mark.parametrize("name", ERRORS)
def test_whatever_is_raised_is_answered(server: Served, command: str, name: str):
    _, status, words = ERRORS[name]
    if name == "the end of a loop" and command == "fail_late":
        words = "Error during inference: RuntimeError('generator raised StopIteration')."

    answer = server.post(command, {"name": name})

    assert answer.status_code == status, answer.text[:300]
    assert words in answer.json()["error"]
    assert answer.json()["traceback"]


@case(13)
@pytest.mark.parametrize("name", ERRORS)
def test_an_error_that_a_batch_returns_is_answered(server: Served, name: str):
    _, status, words = ERRORS[name]

    answer = server.post("hand_back", {"name": name})

    is_handed_back = answer.json() != {"y": "another kind"}
    assert is_handed_back == (not words.startswith("Error during"))
    if is_handed_back:
        assert (answer.status_code, answer.json()["error"]) == (status, words)


@case(13)
@pytest.mark.parametrize("of_type", TYPES)
@pytest.mark.parametrize("kind", ["", "_bare", "_batch"])
def test_whatever_is_returned_is_an_answer_or_an_error_in_words(
    server: Served, of_type: str, kind: str
):
    for name in VALUES:
        answer = server.post(of_type + kind, {"name": name})

        if answer.status_code == 200:
            assert set(answer.json()) == {"y"}
        else:
            assert answer.status_code in (400, 500), (name, answer.text[:300])
            assert re.search(r"\by\b|_array_item\b|tuple of 3", answer.json()["error"]), (
                answer.text[:300]
            )


@case(13)
@pytest.mark.parametrize("name", PROGRESSES)
def test_a_progress_is_a_number_or_not_told(server: Served, name: str):
    _, told = PROGRESSES[name]

    assert server.post("progress", {"name": name}).json() == {"y": "out"}
    events = list(events_of(server, "progress", {"name": name}))

    output = next(event for event in events if event["type"] == "output")
    assert output.get("progress") == told
    assert events[-1]["type"] == "succeeded"


@case(13)
@pytest.mark.parametrize("name", ERRORS)
def test_a_socket_hears_of_an_error_after_what_came_before_it(server: Served, name: str):
    events = list(events_of(server, "fail_late", {"name": name}))

    assert [event["type"] for event in events] == ["started", "output", "failed"][-len(events) :]
    assert events[-1]["error"]


@case(13)
@pytest.mark.parametrize("name", ERRORS)
def test_whatever_a_setup_raises_is_answered_and_the_old_model_serves_on(server: Served, name: str):
    _, status, words = ERRORS[name]

    answer = server.post("setup", {"error": name})

    assert answer.status_code == status, answer.text[:300]
    assert words.replace("during inference", "during setup") in answer.json()["error"]
    assert server.post("text", {"name": "none"}).json() == {"y": "None"}
    server.post("setup", {"error": ""})
    assert server.get("/healthcheck").json() == {"status": "RUNNING"}


@case(13)
def test_a_setup_that_exits_is_answered_by_a_script_that_serves_itself(local: Served):
    answer = local.post("setup", {"error": "exit"})

    assert (answer.status_code, answer.json()["error"]) == (
        500,
        "Error during setup: SystemExit(3).",
    )
    assert local.post("text", {"name": "none"}).json() == {"y": "None"}


@case(13)
@pytest.mark.parametrize("command", ["stubborn", "clumsy"])
def test_a_generator_that_fails_as_it_is_closed_harms_nobody(server: Served, command: str):
    words = "a generator failed as it was closed"
    told = server.log().count(words)

    with closing(opened(server)) as socket:
        ask(socket, command, {"name": "none"})
        while json.loads(socket.recv())["type"] != "output":
            pass

    wait_for(lambda: server.log().count(words) == told + 1, what=server.log())
    assert server.post("text", {"name": "none"}).json() == {"y": "None"}


def opened(server: Served) -> websocket.WebSocket:
    return websocket.create_connection(f"ws://127.0.0.1:{server.port}/", timeout=30)


def ask(socket: websocket.WebSocket, command: str, inputs: object) -> None:
    socket.send(json.dumps({"type": "submit", "command": command, "inputData": inputs}))


def events_of(server: Served, command: str, inputs: object):
    """What a socket is told of one call, until its end."""
    with closing(opened(server)) as socket:
        ask(socket, command, inputs)
        while True:
            event = json.loads(socket.recv())
            if event["type"] in ("started", "output", "succeeded", "failed"):
                yield event
            if event["type"] in ("succeeded", "failed"):
                return
