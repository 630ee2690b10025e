"""HTTP as clients really speak it, byte by byte, to the hot path of both ways to serve a script."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runway.exchange import MAX_BODY_BYTES
from tests.serving import Served, run_script, serve

WIRE = Path(__file__).parents[1] / "scripts" / "wire.py"
KEEP_ALIVE_S = 5  # uvicorn's default


@pytest.fixture(scope="module", params=["front", "alone"])
def server(request) -> Iterator[Served]:
    if request.param == "front":
        with serve(WIRE, "--gpus", "none") as served:
            yield served
    else:
        with run_script(WIRE) as served:
            yield served


class Wire:
    """One connection; answers are read with their status, headers and body."""

    def __init__(self, server: Served) -> None:
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=30)
        self._file = self.socket.makefile("rb")

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self) -> tuple[int, dict[str, str], bytes]:
        status = self.status()
        headers = {}
        while line := self._file.readline().rstrip(b"\r\n").decode():
            name, _, value = line.partition(": ")
            headers[name] = value
        return status, headers, self._file.read(int(headers["content-length"]))

    def status(self) -> int:
        """The code of a status line; the rest of the head is still to come."""
        return int(self._file.readline().split(b" ")[1])

    def is_closed(self) -> bool:
        """Whether the server closed the connection; waits for it."""
        return self._file.read(1) == b""

    def close(self) -> None:
        self._file.close()
        self.socket.close()


@contextmanager
def connected(server: Served) -> Iterator[Wire]:
    wire = Wire(server)
    try:
        yield wire
    finally:
        wire.close()


def post(path: str, body: bytes, *headers: str, version: str = "1.1") -> bytes:
    """The bytes of a request; a length is declared unless the headers say how the body is sent."""
    lines = [f"POST {path} HTTP/{version}", "Host: x", *headers]
    if not any(line.lower().startswith(("content-length", "transfer-encoding")) for line in lines):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def echo(value: object) -> bytes:
    return json.dumps({"value": value}).encode()


def test_a_connection_serves_one_request_after_the_other(server):
    with connected(server) as wire:
        for value in range(3):
            wire.send(post("/echo", echo(value)))
            status, headers, body = wire.answer()
            assert (status, json.loads(body)) == (200, {"value": value})
            assert headers["content-type"] == "application/json"
            assert "connection" not in headers
            assert "date" in headers


def test_pipelined_requests_are_answered_in_order(server):
    with connected(server) as wire:
        wire.send(post("/nap", b'{"s": 0.2}') + b"".join(post("/echo", echo(i)) for i in range(5)))
        assert wire.answer()[0] == 200
        assert [json.loads(wire.answer()[2])["value"] for _ in range(5)] == list(range(5))


def test_pipelined_requests_may_be_longer_than_what_is_read_at_once(server):
    values = [str(index) * 300_000 for index in range(4)]
    with connected(server) as wire:
        sender = threading.Thread(
            target=wire.send,
            args=(post("/nap", b'{"s": 0.3}') + b"".join(post("/echo", echo(v)) for v in values),),
        )
        sender.start()
        assert wire.answer()[0] == 200
        assert [json.loads(wire.answer()[2])["value"] for _ in values] == values
        sender.join()


def test_a_request_byte_by_byte_is_the_same_request(server):
    with connected(server) as wire:
        wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in post("/echo", echo("slow")):
            wire.send(bytes([byte]))
        assert json.loads(wire.answer()[2]) == {"value": "slow"}


def test_a_chunked_body_is_put_together(server):
    body = echo("in parts")
    parts = [body[:7], body[7:9], body[9:]]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    with connected(server) as wire:
        wire.send(post("/echo", chunks, "Transfer-Encoding: chunked"))
        assert json.loads(wire.answer()[2]) == {"value": "in parts"}
        wire.send(post("/echo", echo("next")))
        assert json.loads(wire.answer()[2]) == {"value": "next"}


def test_a_client_that_asks_first_is_told_to_go_on(server):
    body = echo("after 100")
    with connected(server) as wire:
        head = post("/echo", b"", f"Content-Length: {len(body)}", "Expect: 100-continue")
        wire.send(head)
        assert wire.status() == 100
        assert wire._file.readline() == b"\r\n"
        wire.send(body)
        assert json.loads(wire.answer()[2]) == {"value": "after 100"}


@pytest.mark.parametrize("expect", [(), ("Expect: 100-continue",)], ids=["sends", "asks"])
def test_a_body_that_says_it_is_too_long_is_refused_before_it_comes(server, expect):
    with connected(server) as wire:
        wire.send(post("/echo", b"", f"Content-Length: {MAX_BODY_BYTES + 1}", *expect))
        status, _, body = wire.answer()
        assert status == 413
        assert str(MAX_BODY_BYTES) in json.loads(body)["error"]


def test_a_chunked_body_that_grows_too_long_is_refused(server):
    part = b" " * (8 << 20)
    chunk = b"%x\r\n%s\r\n" % (len(part), part)
    with connected(server) as wire:
        wire.send(post("/echo", b"", "Transfer-Encoding: chunked"))
        for _ in range(MAX_BODY_BYTES // len(part) + 1):
            wire.send(chunk)
        assert wire.answer()[0] == 413
        wire.send(b"0\r\n\r\n" + post("/echo", echo("still here")))
        assert json.loads(wire.answer()[2]) == {"value": "still here"}


@pytest.mark.parametrize(
    ("version", "headers"), [("1.0", ()), ("1.1", ("Connection: close",))], ids=["1.0", "close"]
)
def test_a_client_that_wants_it_is_hung_up_on(server, version, headers):
    with connected(server) as wire:
        wire.send(post("/echo", echo(1), *headers, version=version))
        status, answered, _ = wire.answer()
        assert (status, answered["connection"]) == (200, "close")
        assert wire.is_closed()


@pytest.mark.parametrize("path", ["/echo?a=1", "/%65cho", "/echo?a=%20"])
def test_a_path_may_be_written_in_other_ways(server, path):
    with connected(server) as wire:
        wire.send(post(path, echo(2)))
        assert json.loads(wire.answer()[2]) == {"value": 2}


def test_a_command_with_a_space_in_its_name_is_found(server):
    with connected(server) as wire:
        for _ in range(2):
            wire.send(post("/two%20words", echo("text")))
            assert json.loads(wire.answer()[2]) == {"value": "text"}


def test_bad_bodies_leave_the_connection_usable(server):
    with connected(server) as wire:
        for body, headers in (
            (b"", ()),
            (b"{", ()),
            (b"[]", ()),
            (b"x", ("Content-Encoding: gzip",)),
        ):
            wire.send(post("/echo", body, *headers))
            assert wire.answer()[0] == 400
        wire.send(post("/echo", gzip.compress(echo("fine")), "Content-Encoding: gzip"))
        assert json.loads(wire.answer()[2]) == {"value": "fine"}


@pytest.mark.parametrize("size", [499, 600, 20_000, 300_000])
def test_long_answers_come_as_gzip_to_who_takes_it(server, size):
    value = "x" * (size - len(echo("").replace(b" ", b"")))
    with connected(server) as wire:
        wire.send(post("/echo", echo(value), "Accept-Encoding: gzip"))
        status, headers, body = wire.answer()
        assert status == 200
        if size < 500:
            assert "content-encoding" not in headers
        else:
            assert headers["content-encoding"] == "gzip"
            assert headers["vary"] == "Accept-Encoding"
            body = gzip.decompress(body)
        assert (len(body), json.loads(body)) == (size, {"value": value})

        wire.send(post("/echo", echo(value)))
        _, headers, body = wire.answer()
        assert "content-encoding" not in headers
        assert len(body) == size


def test_what_is_no_command_is_answered_on_the_same_connection(server):
    with connected(server) as wire:
        wire.send(post("/nobody", b"{}"))
        assert wire.answer()[0] == 404
        wire.send(b"GET /healthcheck HTTP/1.1\r\nHost: x\r\n\r\n")
        assert json.loads(wire.answer()[2]) == {"status": "RUNNING"}
        wire.send(b"OPTIONS /echo HTTP/1.1\r\nHost: x\r\nOrigin: http://a\r\n\r\n")
        assert wire.answer()[1]["access-control-allow-origin"] == "http://a"


@pytest.mark.parametrize("path", ["/echo", "/nobody"])
def test_a_page_of_another_site_may_read_every_answer(server, path):
    with connected(server) as wire:
        wire.send(post(path, echo(3), "Origin: http://a"))
        _, headers, _ = wire.answer()
        assert headers["access-control-allow-origin"] == "http://a"
        assert headers["vary"].startswith("Origin")
        wire.send(post(path, echo(3)))
        assert wire.answer()[1]["access-control-allow-origin"] == "*"


def test_a_client_that_leaves_before_its_turn_is_never_run(server):
    with connected(server) as first, connected(server) as second:
        first.send(post("/nap", b'{"s": 0.5}'))
        server.get("/healthcheck")  # the loop that answers this has read the nap
        second.send(post("/nap", b'{"s": 0}'))
        second.close()
        naps = json.loads(first.answer()[2])["naps"]
    assert server.post("nap", {"s": 0}).json() == {"naps": naps + 1}


def test_a_client_that_leaves_in_its_body_costs_nothing(server):
    with connected(server) as wire:
        wire.send(post("/echo", b'{"value": ', "Content-Length: 1000"))
    assert server.post("echo", {"value": 1}).json() == {"value": 1}


def test_who_does_not_read_its_answers_is_not_read_from(server):
    """Answers of one connection must not pile up in the server's memory."""
    request = post("/echo", echo("y" * 100_000))
    sent = 0
    with connected(server) as wire:
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        wire.socket.settimeout(2)
        with pytest.raises(TimeoutError):
            while sent < 1000:
                wire.send(request)
                sent += 1
        assert sent < 200
        wire.socket.settimeout(30)
        assert len(json.loads(wire.answer()[2])["value"]) == 100_000
    assert server.post("echo", {"value": 1}).json() == {"value": 1}


def test_an_idle_connection_is_closed_and_a_used_one_is_not(server):
    with connected(server) as idle, connected(server) as used:
        for wire in (idle, used):
            wire.send(post("/echo", echo(0)))
            wire.answer()
        began = time.monotonic()
        while time.monotonic() - began < KEEP_ALIVE_S / 2:
            used.send(post("/nap", b'{"s": 0.5}'))
            assert used.answer()[0] == 200
        assert idle.is_closed()
        assert time.monotonic() - began > KEEP_ALIVE_S * 0.9
        used.send(post("/echo", echo(1)))
        assert used.answer()[0] == 200


@pytest.mark.parametrize(
    "path", ["/meta", "/healthcheck", "/openapi.json", "/ui/", "/ui/js/main.mjs", "/nowhere", "/"]
)
def test_no_header_comes_twice(server, path: str):
    raw = server.get(path).raw.headers
    names = [name.lower() for name in raw]

    assert {name for name in names if len(raw.getlist(name)) > 1} == set()
    assert "date" in names
