"""Limits on what one client may hold of a server: body, head, time, connections. Each error names its option."""

from __future__ import annotations

import gzip
import json
import select
import time
import zlib
from contextlib import ExitStack, closing, suppress

import pytest
import requests
import websocket

from tests.serving import Served, serve
from tests.trust.kinds import (
    MB,
    MODEL,
    SLACK_BYTES,
    SLACK_S,
    TWO,
    case,
    connect,
    error_of,
    front_memory,
    raw,
    wait_for,
    wait_for_workers,
)


@pytest.fixture(scope="module")
def small():
    """A server with small limits on all that clients may hold of it."""
    limits = ("--max-body-mb", "1", "--read-timeout", "1", "--max-connections", "60")
    sockets = ("--max-websockets", "5", "--max-websocket-jobs", "3")
    idle = ("--websocket-idle-timeout", "1")
    with serve(MODEL, *TWO, *limits, *sockets, *idle) as server:
        wait_for_workers(server, 2)
        yield server


def in_chunks(size: int):
    for _ in range(0, size, 65_536):
        yield b" " * 65_536


def zeros_as_gzip(size: int) -> bytes:
    packer = zlib.compressobj(wbits=31)
    return b"".join(packer.compress(bytes(MB)) for _ in range(size // MB)) + packer.flush()


@case(23)
@pytest.mark.parametrize("path", ["/half", "/setup"])
@pytest.mark.parametrize("how", ["length", "chunked", "gzip", "close"])
def test_a_body_over_the_limit_is_a_413_that_arrives(small: Served, how: str, path: str):
    before = front_memory(small)
    url = f"{small.url}{path}"
    if how == "length":
        answer = requests.post(url, data=b" " * 5 * MB, timeout=30)
    elif how == "close":
        answer = requests.post(url, data=b" " * 5 * MB, headers={"Connection": "close"}, timeout=30)
    elif how == "chunked":
        answer = requests.post(url, data=in_chunks(5 * MB), timeout=30)
    else:
        body = zeros_as_gzip(1 << 30)
        answer = requests.post(url, data=body, headers={"Content-Encoding": "gzip"}, timeout=30)

    error_of(answer, 413, str(MB), "--max-body-mb")
    assert front_memory(small) - before < MB + SLACK_BYTES


@case(23)
@pytest.mark.parametrize("path", ["/half", "/setup"])
def test_a_chunked_body_under_the_limit_works(small: Served, path: str):
    body = json.dumps({"x": 4}).encode()

    answer = requests.post(f"{small.url}{path}", data=iter([body[:3], body[3:]]), timeout=30)

    assert answer.status_code == 200, answer.text
    assert answer.json() in ({"y": 2}, {"success": True})


@case(23)
@pytest.mark.parametrize("data", [b"", b"\x1f\x8b", gzip.compress(b'{"x":4}')[:-4], b"plain"])
def test_what_is_no_gzip_is_a_400(small: Served, data: bytes):
    error_of(raw(small, "/half", data, Content_Encoding="gzip"), 400)


HEAD = b"POST /half HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize(
    "start",
    [
        HEAD[:10],
        HEAD,
        HEAD + b"Content-Length: 900\r\n\r\n{",
        HEAD.replace(b"half", b"setup") + b"Content-Length: 900\r\n\r\n{",
    ],
    ids=["line", "head", "body", "setup"],
)
def test_who_dribbles_is_hung_up_on(small: Served, start: bytes):
    with connect(small) as wire:
        wire.sendall(start)
        end = time.monotonic() + 10
        while not select.select([wire], [], [], 0.2)[0]:
            assert time.monotonic() < end
            wire.sendall(b"a")
        answer = b""
        while part := wire.recv(4096):
            answer += part

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"--read-timeout" in answer


def test_who_never_asks_is_hung_up_on_without_a_word(small: Served):
    with connect(small) as wire:
        wire.settimeout(10)
        assert wire.recv(100) == b""


def test_a_slow_body_that_moves_is_waited_for(small: Served):
    body = json.dumps({"x": 4}).encode() + b" " * 200_000
    with connect(small) as wire:
        wire.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(body))
        for at in range(0, len(body), 10_000):
            wire.sendall(body[at : at + 10_000])
            time.sleep(0.12)  # the client's pace: 80 KB/s, 2.4 s in all, over twice the limit
        assert wire.recv(4096).startswith(b"HTTP/1.1 200 ")


def test_slow_clients_keep_nobody_from_health_and_commands(small: Served):
    with ExitStack() as stack:
        for _ in range(40):
            wire = stack.enter_context(connect(small))
            wire.sendall(b"POST /setup HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        began = time.monotonic()
        assert requests.get(f"{small.url}/healthcheck", timeout=5).status_code == 200
        assert requests.post(f"{small.url}/half", json={"x": 4}, timeout=5).json() == {"y": 2}
        assert time.monotonic() - began < 1 + SLACK_S


def test_a_head_without_end_is_refused(small: Served):
    with connect(small) as wire, suppress(BrokenPipeError, ConnectionResetError):
        wire.sendall(HEAD)
        for index in range(3000):
            wire.sendall(b"X-%d: %s\r\n" % (index, b"y" * 200))
    assert small.post("half", {"x": 4}).status_code == 200
    wait_for(lambda: front_memory(small) < 400 * MB)


@pytest.mark.parametrize(
    "junk", [b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03", b"GET\r\n\r\n", b"\0" * 50]
)
def test_what_is_no_http_is_told_so_as_json(small: Served, junk: bytes):
    with connect(small) as wire:
        wire.sendall(junk)
        answer = b""
        while part := wire.recv(4096):
            answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert set(json.loads(body)) == {"error"}


def test_connections_have_a_limit_that_is_named(small: Served):
    small.session.close()
    with ExitStack() as stack:
        for _ in range(60):
            stack.enter_context(connect(small))
        late = stack.enter_context(connect(small))
        answer = late.recv(4096)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"--max-connections" in answer and b"retry-after: 1" in answer.lower()
    wait_for(lambda: small.get("/healthcheck").status_code == 200)


def test_websockets_have_a_limit_that_is_named(small: Served):
    url = f"ws://127.0.0.1:{small.port}/"
    with ExitStack() as stack:
        for _ in range(5):
            stack.enter_context(closing(websocket.create_connection(url, timeout=10)))
        with pytest.raises(websocket.WebSocketBadStatusException) as refused:
            websocket.create_connection(url, timeout=10)
    assert refused.value.status_code == 503
    assert b"--max-websockets" in refused.value.resp_body


def test_an_idle_websocket_is_closed_and_a_busy_one_is_not(small: Served):
    url = f"ws://127.0.0.1:{small.port}/"
    with closing(websocket.create_connection(url, timeout=10)) as socket:
        job = {"type": "submit", "command": "nap", "inputData": {"s": 2}}
        socket.send(json.dumps(job))
        kinds = [json.loads(socket.recv())["type"] for _ in range(3)]
        code, data = socket.recv_data()

    assert kinds == ["started", "output", "succeeded"], "it was closed while its job ran"
    assert code == websocket.ABNF.OPCODE_CLOSE
    assert b"--websocket-idle-timeout" in data


def test_jobs_of_a_websocket_have_a_limit_that_is_named(small: Served):
    url = f"ws://127.0.0.1:{small.port}/"
    with closing(websocket.create_connection(url, timeout=10)) as socket:
        for _ in range(4):
            job = {"type": "submit", "command": "nap", "inputData": {"s": 0.5}}
            socket.send(json.dumps(job))
        kinds = []
        while "failed" not in kinds:
            message = json.loads(socket.recv())
            kinds.append(message["type"])
    assert "--max-websocket-jobs" in message["error"]
