"""Who may use jobs, events, metrics, the API's description and the page's sockets: the rule of `test_access.py`."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest
import requests
import websocket

from runway.app import HTTP_ERRORS
from tests.serving import Served, run_script, serve
from tests.trust.kinds import ONE, error_of, wait_for

PATIENT = Path(__file__).parents[1] / "scripts" / "patient.py"
TOKEN, SPARE = "s3cret", "a+b/c=="
ASYNC = {"Prefer": "respond-async"}
EVENTS = {"Accept": "text/event-stream"}
EVIL = "http://evil.example"
REPEAT = {"text": "ab", "times": 2}
Headers = dict[str, str]


@pytest.fixture(scope="module", params=["front", "alone"])
def guarded(request):
    """A server with two tokens."""
    if request.param == "front":
        with serve(PATIENT, *ONE, "--token", TOKEN, "--token", SPARE) as server:
            yield server
    else:
        with run_script(PATIENT, env={"RW_TOKEN": f"{TOKEN},{SPARE}"}) as server:
            yield server


def bearer(token: str = TOKEN) -> Headers:
    return {"Authorization": f"Bearer {token}"}


def start(server: Served, headers: Headers, inputs: object = None) -> str:
    """Path of a new job."""
    answer = server.post("repeat", inputs or REPEAT, headers={**ASYNC, **headers})
    assert answer.status_code == 202, answer.text
    return f"/{answer.headers['Location']}"


def delete(server: Served, path: str, headers: Headers) -> requests.Response:
    return server.session.delete(f"{server.url}{path}", headers=headers, timeout=10)


WAYS: dict[str, Callable[[Served, str, Headers], requests.Response]] = {
    "start a job": lambda server, _, headers: server.post(
        "repeat", REPEAT, headers={**ASYNC, **headers}
    ),
    "stream events": lambda server, _, headers: server.post(
        "repeat", REPEAT, headers={**EVENTS, **headers}
    ),
    "see a job": lambda server, path, headers: server.get(path, headers=headers),
    "look whether a job is there": lambda server, path, headers: server.session.head(
        f"{server.url}{path}", headers=headers, timeout=10
    ),
    "follow a job": lambda server, path, headers: server.get(f"{path}/events", headers=headers),
    "cancel a job": delete,
    "describe the API": lambda server, _, headers: server.get("/openapi.json", headers=headers),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_token_opens_what_is_closed_without(guarded: Served, way: str):
    path = start(guarded, bearer())
    ask = WAYS[way]

    for headers in ({}, bearer("wrong"), {"Cookie": f"token={TOKEN}"}):
        answer = ask(guarded, path, headers)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        if answer.request.method != "HEAD":
            assert answer.json() == {"error": HTTP_ERRORS[401]}
    assert guarded.get(path, headers=bearer()).status_code == 200, "nothing of that touched the job"
    for token in (TOKEN, SPARE):
        mine = start(guarded, bearer(token))
        assert ask(guarded, mine, bearer(token)).ok


@pytest.mark.parametrize("path", ["/jobs/none", "/jobs/none/events", "/jobs/../meta", "/jobs/"])
def test_without_a_token_nobody_learns_which_jobs_there_are(guarded: Served, path: str):
    request = guarded.session.prepare_request(requests.Request("GET", guarded.url))
    request.url = f"{guarded.url}{path}"  # as it stands, not tidied up

    error_of(guarded.session.send(request, timeout=10), 401)


def test_a_refused_job_runs_nothing(guarded: Served, tmp_path: Path):
    gate = tmp_path / "gate"
    gate.write_text("closed")
    inputs = {"n": 1, "gate": str(gate)}

    for headers in (ASYNC, EVENTS):
        error_of(guarded.post("steps", inputs, headers=headers), 401)

    answer = guarded.post("repeat", REPEAT, headers=bearer())
    assert answer.json() == {"text": "abab"}, "the only worker runs what was refused"


def test_metrics_need_the_token_as_prometheus_sends_it():
    with serve(PATIENT, *ONE, "--token", TOKEN) as server:
        error_of(server.get("/metrics"), 401)
        answer = server.get("/metrics", headers=bearer())

        assert answer.status_code == 200
        assert 'runway_refusals_total{reason="unauthorized"} 1.0' in answer.text


def own_page(server: Served) -> dict:
    return {"origin": server.url, "timeout": 10}


def watch_url(server: Served) -> str:
    return f"ws://127.0.0.1:{server.port}/ui/watch?command=repeat"


def test_the_pages_socket_shows_requests_to_who_has_the_token_only(guarded: Served):
    for options in (
        {},
        {"header": ["Authorization: Bearer wrong"]},
        {"subprotocols": ["runway", "bearer.wrong"]},
        {"subprotocols": ["runway", f"token.{TOKEN}"]},
    ):
        with pytest.raises(websocket.WebSocketBadStatusException) as refused:
            websocket.create_connection(watch_url(guarded), **own_page(guarded), **options)
        assert refused.value.status_code == 401
    for token in (TOKEN, SPARE):
        offered = ["runway", f"bearer.{quote(token, safe='')}"]
        with closing(
            websocket.create_connection(
                watch_url(guarded), **own_page(guarded), subprotocols=offered
            )
        ) as socket:
            assert socket.getsubprotocol() == "runway"
            guarded.post("repeat", REPEAT, headers=bearer())
            assert json.loads(socket.recv())["inputs"] == REPEAT


@pytest.mark.parametrize("token", [TOKEN, SPARE])
def test_the_job_socket_takes_a_token_with_any_character_as_a_protocol(guarded: Served, token: str):
    offered = ["runway", f"bearer.{quote(token, safe='')}"]
    url = f"ws://127.0.0.1:{guarded.port}/"
    with closing(websocket.create_connection(url, timeout=10, subprotocols=offered)) as socket:
        assert socket.getsubprotocol() == "runway"
        submit = {"type": "submit", "id": f"of {token}", "command": "repeat", "inputData": REPEAT}
        socket.send(json.dumps(submit))
        kinds = [json.loads(socket.recv())["type"] for _ in range(3)]

    assert kinds == ["started", "output", "succeeded"]


@pytest.mark.parametrize("origin", [EVIL, "null"])
def test_a_page_of_another_site_cannot_cancel_a_job(origin: str):
    with serve(PATIENT, *ONE) as server:
        path = start(server, {})
        for headers in ({}, {"Sec-Fetch-Site": "cross-site"}):
            answer = delete(server, path, {"Origin": origin, **headers})
            error_of(answer, 403, "Forbidden", "--cors")
        wait_for(lambda: server.get(path).json()["status"] == "succeeded")
        assert delete(server, path, {"Origin": server.url}).status_code == 204


def test_with_a_list_only_its_pages_may_start_jobs_and_streams():
    friend = "https://friend.example"
    with serve(PATIENT, *ONE, "--cors", friend) as server:
        for headers in (ASYNC, EVENTS):
            refused = server.post("repeat", REPEAT, headers={**headers, "Origin": EVIL})
            error_of(refused, 403, "--cors")
            allowed = server.post("repeat", REPEAT, headers={**headers, "Origin": friend})
            assert allowed.ok
            assert allowed.headers["Access-Control-Allow-Origin"] == friend
        path = start(server, {"Origin": friend})
        assert delete(server, path, {"Origin": EVIL}).status_code == 403
        assert delete(server, path, {"Origin": friend}).status_code == 204
