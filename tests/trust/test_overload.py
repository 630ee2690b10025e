"""More clients, more bytes, more time than there is room for: refused at once, in words, and memory stays."""

from __future__ import annotations

import gzip
import json
import select
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress

import psutil
import pytest
import requests
import websocket

from tests.serving import Served, serve
from tests.trust.kinds import (
    MODEL,
    ONE,
    SLACK_S,
    TWO,
    case,
    connect,
    error_of,
    metric,
    raw,
    wait_for,
    wait_for_workers,
    written,
)

MB = 1 << 20
SLACK_BYTES = 50 * MB  # "memory under limit + 50 MB"


def front_memory(server: Served) -> int:
    """Resident bytes of the front and its master."""
    children = psutil.Process(server.process.pid).children(recursive=True)
    fronts = [child for child in children if "runway_serve.front" in " ".join(child.cmdline())]
    assert fronts
    return sum(front.memory_info().rss for front in fronts)


@case(22)
def test_a_burst_is_taken_up_to_the_limit_and_refused_beyond():
    with serve(MODEL, *TWO, "--max-queue", "16") as server, ThreadPoolExecutor(100) as pool:
        wait_for_workers(server, 2)
        server.post("nap", {"s": 0})

        def nap(_: int) -> tuple[requests.Response, float]:
            began = time.monotonic()
            answer = requests.post(f"{server.url}/nap", json={"s": 1}, timeout=60)
            return answer, time.monotonic() - began

        answers = list(pool.map(nap, range(100)))

        refused = [(answer, took_s) for answer, took_s in answers if answer.status_code == 503]
        taken = [answer for answer, _ in answers if answer.status_code == 200]
        assert len(refused) + len(taken) == 100
        assert 16 <= len(taken) <= 16 + 2 + 2
        for answer, took_s in refused:
            error_of(answer, 503, "16 calls of nap", "--max-queue")
            assert took_s < 1 + SLACK_S, "it waited before it was refused"
        assert metric(server, "runway_refusals_total", reason="queue_full") == len(refused)


@case(19)
def test_a_client_that_leaves_frees_its_place():
    with serve(MODEL, *ONE) as server:

        def leave(_: int) -> None:
            with suppress(requests.exceptions.ReadTimeout):
                requests.post(f"{server.url}/nap", json={"s": 1}, timeout=0.3)

        with ThreadPoolExecutor(20) as pool:
            list(pool.map(leave, range(20)))
        began = time.monotonic()

        assert server.post("nap", {"s": 0}).status_code == 200

        assert time.monotonic() - began < 3 + SLACK_S
        wait_for(lambda: metric(server, "runway_queue_depth") == 0)


@case(20)
def test_a_client_that_leaves_a_stream_ends_it(tmp_path):
    closed = tmp_path / "closed"
    source = f"""
import time, runway
@runway.command("steps", inputs={{"n": runway.number}}, outputs={{"i": runway.number}})
def steps(m, a):
    try:
        for i in range(int(a["n"])):
            time.sleep(0.2); yield {{"i": i}}, i / a["n"]
    finally:
        open({str(closed)!r}, "w").close()
@runway.command("half", inputs={{"x": runway.number}}, outputs={{"y": runway.number}})
def half(m, a): return a["x"] / 2
runway.run()
"""
    with serve(written(tmp_path, source), *ONE) as server:
        with closing(websocket.create_connection(f"ws://127.0.0.1:{server.port}/")) as stream:
            job = {"type": "submit", "command": "steps", "inputData": {"n": 100}}
            stream.send(json.dumps(job))
            outputs = 0
            while outputs < 3:
                outputs += json.loads(stream.recv())["type"] == "output"

        wait_for(closed.exists, 2)
        assert server.post("half", {"x": 4}).json() == {"y": 2}


@case(21)
def test_a_call_that_waits_too_long_is_told_in_time():
    with serve(MODEL, *ONE, "--request-timeout", "2") as server, ThreadPoolExecutor(1) as pool:
        pool.submit(server.post, "nap", {"s": 6})
        wait_for(lambda: server.get("/ready").json()["running"] == 1)
        began = time.monotonic()

        error_of(server.post("nap", {"s": 0}), 504, "2 s", "--request-timeout")

        assert 1.9 <= time.monotonic() - began < 4 + SLACK_S


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


KEEPER = """
import time, runway
@runway.command("keep", inputs={"t": runway.text}, outputs={"n": runway.number})
def keep(m, a):
    time.sleep(0.3); return len(a["t"])
runway.run()
"""


def test_inputs_that_wait_have_a_limit_together(tmp_path):
    limits = ("--max-pending-mb", "3", "--max-body-mb", "2")
    script = written(tmp_path, KEEPER)
    with serve(script, *ONE, *limits) as server, ThreadPoolExecutor(12) as pool:
        body = json.dumps({"t": "x" * MB}).encode()
        answers = list(pool.map(lambda _: raw(server, "/keep", body), range(12)))

        refused = [answer for answer in answers if answer.status_code == 503]
        assert refused and {answer.status_code for answer in answers} == {200, 503}
        for answer in refused:
            error_of(answer, 503, "--max-pending-mb")
        assert raw(server, "/keep", body).json() == {"n": MB}


def test_memory_is_flat_under_a_flood_of_ten_times_the_room():
    limits = ("--max-queue", "8", "--max-pending-mb", "16")
    with serve(MODEL, *TWO, *limits) as server:
        wait_for_workers(server, 2)
        body = json.dumps({"s": 0.02}).encode() + b" " * MB

        def flood(count: int) -> set[int]:
            with ThreadPoolExecutor(100) as pool:
                codes = pool.map(
                    lambda _: requests.post(f"{server.url}/nap", data=body, timeout=60).status_code,
                    range(count),
                )
                return set(codes)

        assert flood(200) <= {200, 503}
        warm = front_memory(server)
        assert flood(600) == {200, 503}
        assert front_memory(server) - warm < SLACK_BYTES


@case(37)
def test_addresses_hold_below_a_path_of_a_proxy(two: Served):
    """What the server says of itself names no host, no scheme and no absolute path; a proxy may put it anywhere."""
    for path in ("/meta", "/", "/healthcheck", "/setup"):
        answer = two.get(path)
        assert "Location" not in answer.headers
        assert f":{two.port}" not in answer.text
