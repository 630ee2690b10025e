"""Tokens, pages of other sites, CORS: the same rule for commands, other routes and WebSockets."""

from __future__ import annotations

import json
import os
from contextlib import closing

import pytest
import requests
import websocket

from runway.app import HTTP_ERRORS
from tests.serving import Served, run_script, serve
from tests.trust.kinds import MODEL, ONE, case, error_of, metric, raw

EVIL = "http://evil.example"
FRIEND = "https://friend.example"
FIRST, SECOND = "first-token-1", "zweites~token=="


@pytest.fixture(scope="module", params=["front", "alone"])
def guarded(request):
    """A server with two tokens."""
    if request.param == "front":
        with serve(MODEL, *ONE, "--token", FIRST, env={"RW_TOKEN": SECOND}) as server:
            yield server
    else:
        with run_script(MODEL, env={"RW_TOKEN": f"{FIRST},{SECOND}"}) as server:
            yield server


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


ROUTES = [
    ("GET", "/"),
    ("GET", "/meta"),
    ("GET", "/setup"),
    ("POST", "/setup"),
    ("GET", "/half"),
    ("POST", "/half"),
    ("POST", "/half?x=1"),
    ("POST", "/%68alf"),
    ("GET", "/metrics"),
    ("GET", "/nonesuch"),
    ("POST", "/nonesuch"),
    ("DELETE", "/half"),
    ("PUT", "/setup"),
    ("POST", "/healthcheck"),
    ("POST", "/ui/files"),
    ("GET", "/ui/../meta"),
    ("GET", "//meta"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES, ids=[f"{m} {p}" for m, p in ROUTES])
def test_without_a_token_no_route_answers(guarded: Served, method: str, path: str):
    request = requests.Request(method, guarded.url, json={"x": 4} if method == "POST" else None)
    prepared = guarded.session.prepare_request(request)
    prepared.url = f"{guarded.url}{path}"  # as it stands, not tidied up

    answer = guarded.session.send(prepared, timeout=10)

    assert error_of(answer, 401) == HTTP_ERRORS[401]
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": FIRST},
        {"Authorization": f"Basic {FIRST}"},
        {"Authorization": f"Bearer {FIRST}x"},
        {"Authorization": f"Bearer {FIRST[:-1]}"},
        {"Authorization": f"Bearer {FIRST.upper()}"},
        {"Authorization": f"Bearer {FIRST},{SECOND}"},
        {"Authorization": "Bearer \u00e9".encode()},
        {"Sec-WebSocket-Protocol": f"bearer.{FIRST}"},
        {"Cookie": f"token={FIRST}"},
    ],
    ids=str,
)
def test_what_is_no_token_does_not_pass(guarded: Served, given: dict):
    error_of(guarded.post("half", {"x": 4}, headers=given), 401)
    error_of(guarded.get("/meta", headers=given), 401)


@pytest.mark.parametrize("token", [FIRST, SECOND])
def test_each_token_passes_everywhere(guarded: Served, token: str):
    assert guarded.post("half", {"x": 4}, headers=bearer(token)).json() == {"y": 2}
    assert guarded.get("/meta", headers=bearer(token)).status_code == 200
    lower = {"authorization": f"bearer {token}"}
    assert guarded.post("half", {"x": 4}, headers=lower).status_code == 200


@pytest.mark.parametrize("path", ["/healthcheck"])
def test_who_only_asks_for_health_needs_no_token(guarded: Served, path: str):
    assert guarded.get(path).status_code == 200
    assert (
        guarded.session.options(f"{guarded.url}/half", headers={"Origin": EVIL}).status_code == 200
    )


def test_a_refused_body_leaves_the_connection_usable(guarded: Served):
    for _ in range(2):
        body = json.dumps({"x": 4}).encode() + b" " * 300_000
        error_of(raw(guarded, "/half", body), 401)
        assert raw(guarded, "/half", body, **bearer(FIRST)).json() == {"y": 2}


def test_a_websocket_needs_a_token_too(guarded: Served):
    url = f"ws://127.0.0.1:{guarded.port}/"
    for options in (
        {},
        {"header": ["Authorization: Bearer wrong"]},
        {"subprotocols": ["bearer.x"]},
    ):
        with pytest.raises(websocket.WebSocketBadStatusException) as refused:
            websocket.create_connection(url, timeout=10, **options)
        assert refused.value.status_code == 401
        assert json.loads(refused.value.resp_body) == {"error": HTTP_ERRORS[401]}
    for options in (
        {"header": [f"Authorization: Bearer {FIRST}"]},
        {"subprotocols": ["runway", f"bearer.{FIRST}"]},
    ):
        with closing(websocket.create_connection(url, timeout=10, **options)) as socket:
            job = {"type": "submit", "command": "half", "inputData": {"x": 4}}
            socket.send(json.dumps(job))
            assert json.loads(socket.recv())["type"] == "started"


def test_the_front_holds_digests_and_workers_nothing():
    import psutil

    with serve(MODEL, *ONE, env={"RW_TOKEN": SECOND}) as server:
        error_of(server.get("/meta"), 401)
        assert metric_of_guarded(server, "unauthorized") >= 1
        for process in psutil.Process(server.process.pid).children(recursive=True):
            environment = process.environ()
            assert not [name for name, value in environment.items() if SECOND in value]
            assert SECOND not in " ".join(process.cmdline())


def metric_of_guarded(server: Served, reason: str) -> float:
    server.session.headers.update(bearer(SECOND))
    return metric(server, "runway_refusals_total", reason=reason)


@pytest.mark.parametrize(
    ("flags", "variables", "said"),
    [
        (["--token", "two words"], {}, "--token"),
        (["--token", ""], {}, "--token"),
        ([], {"RW_TOKEN": "t\u00f6ken"}, "--token"),
        (["--cors", "friend.example"], {}, "--cors"),
        (["--cors", "https://a.example/page"], {}, "--cors"),
        (["--cors", "*"], {}, "--cors"),
        (["--max-body-mb", "0"], {}, "--max-body-mb"),
        (["--read-timeout", "-1"], {}, "--read-timeout"),
        (["--max-connections", "many"], {}, "--max-connections"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(flags: list[str], variables: dict, said: str):
    import subprocess
    import sys

    from tests.processes import clean_env, free_port

    ended = subprocess.run(
        [
            sys.executable,
            "-m",
            "runway_serve",
            str(MODEL),
            *ONE,
            "--port",
            str(free_port()),
            *flags,
        ],
        env=clean_env(variables),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode != 0
    assert said in ended.stderr and "Traceback" not in ended.stderr


@case(35)
@pytest.mark.parametrize("origin", [EVIL, "null", "http://localhost:1", "https://127.0.0.1"])
@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/setup"), ("DELETE", "/jobs/1"), ("POST", "/a/b")]
)
def test_a_page_of_another_site_changes_nothing(two: Served, method: str, path: str, origin: str):
    for headers in ({}, {"Sec-Fetch-Site": "cross-site"}):
        answer = two.session.request(
            method, f"{two.url}{path}", data="{}", headers={"Origin": origin, **headers}, timeout=10
        )
        error_of(answer, 403, "Forbidden", "--cors")


@case(35)
def test_the_servers_own_page_and_programs_may_set_up(two: Served):
    own = {"Origin": f"http://127.0.0.1:{two.port}"}
    behind = {"Origin": "https://models.example", "Sec-Fetch-Site": "same-origin"}
    for headers in ({}, own, behind):
        assert two.post("setup", {}, headers=headers).json() == {"success": True}


@case(35)
def test_commands_keep_the_cors_of_the_sdk(two: Served):
    for origin in (EVIL, "null"):
        answer = two.post("half", {"x": 4}, headers={"Origin": origin})
        assert answer.json() == {"y": 2}
        assert answer.headers["Access-Control-Allow-Origin"] in ("*", origin)


@case(35)
@pytest.mark.parametrize("listed", [["--cors", FRIEND], ["--cors", "none"]], ids=["one", "none"])
def test_with_a_list_only_its_pages_may_call(listed: list[str]):
    with serve(MODEL, *ONE, *listed) as server:
        is_listed = FRIEND in listed
        url = f"ws://127.0.0.1:{server.port}/"
        for origin, may in (
            (EVIL, False),
            (FRIEND, is_listed),
            (f"http://127.0.0.1:{server.port}", True),
        ):
            answer = server.post("half", {"x": 4}, headers={"Origin": origin})
            assert answer.status_code == (200 if may else 403), origin
            assert (
                server.post("setup", {}, headers={"Origin": origin}).status_code
                == answer.status_code
            )
            allowed = answer.headers.get("Access-Control-Allow-Origin")
            assert (allowed == origin) is (may and origin == FRIEND)
            if may:
                websocket.create_connection(url, timeout=10, origin=origin).close()
            else:
                with pytest.raises(websocket.WebSocketBadStatusException):
                    websocket.create_connection(url, timeout=10, origin=origin)
        assert server.post("half", {"x": 4}).json() == {"y": 2}
        read = server.get("/meta", headers={"Origin": EVIL})
        assert read.headers.get("Access-Control-Allow-Origin") != EVIL


@case(35)
def test_with_a_token_any_page_may_do_anything():
    with serve(MODEL, *ONE, "--token", FIRST, "--cors", "none") as server:
        headers = {"Origin": EVIL, **bearer(FIRST)}
        assert server.post("setup", {}, headers=headers).json() == {"success": True}
        assert server.post("half", {"x": 4}, headers=headers).json() == {"y": 2}
        error_of(server.post("setup", {}, headers={"Origin": EVIL}), 401)


@case(35)
def test_an_open_server_without_token_says_so():
    with serve(MODEL, *ONE, "--host", "0.0.0.0") as server:
        assert "RW_TOKEN" in next(line for line in server.log().splitlines() if "WARNING" in line)
    with serve(MODEL, *ONE, "--host", "0.0.0.0", "--token", FIRST) as server:
        assert "WARNING" not in server.log()


def test_a_script_that_runs_itself_asks_for_no_token_and_guards_nothing():
    assert "RW_TOKEN" not in os.environ
    with run_script(MODEL) as server:
        assert server.post("setup", {}, headers={"Origin": EVIL}).json() == {"success": True}
        assert server.post("half", {"x": 4}).json() == {"y": 2}
