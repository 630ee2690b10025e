"""Requests whose head is that of the one before, byte by byte: answered as if it had been parsed again."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runway.hot import INLINE_BODY_BYTES
from runway.known_heads import MAX_HEAD_BYTES, KnownHead, known_head
from tests.serve.test_http import WIRE, connected, echo, post
from tests.serving import Served, serve


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with serve(WIRE, "--gpus", "none") as served:
        yield served


def chunked(body: bytes) -> bytes:
    return post("/echo", b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body), "Transfer-Encoding: chunked")


KINDS = {
    "plain": lambda value: post("/echo", echo(value)),
    "longer": lambda value: post("/echo", echo([value] * 5)),
    "named": lambda value: post("/echo", echo(value), f"X-Request-Id: n{value}"),
    "other case": lambda value: post("/echo", echo(value)).replace(b"Host", b"hOST"),
    "blank lines inside": lambda value: post("/echo", b"\r\n\r\n" + echo(value) + b"\r\n\r\n"),
    "blank line before": lambda value: b"\r\n" + post("/echo", echo(value)),
    "chunked": lambda value: chunked(echo(value)),
    "no JSON": lambda value: post("/echo", b"#" + echo(value)[1:]),
    "none such": lambda value: post("/ecko", echo(value)),
    "not a command": lambda value: post("/setup", b"{}"),
}
VALUES = st.integers(100, 999)  # all of a kind are of one length


@settings(max_examples=150, deadline=None)
@given(
    requests=st.lists(st.tuples(st.sampled_from(sorted(KINDS)), VALUES), min_size=1, max_size=8),
    repeats=st.integers(1, 3),
    cuts=st.lists(st.integers(1, 400), max_size=6),
    is_pipelined=st.booleans(),
)
def test_any_sequence_gets_the_answers_of_its_requests(
    server, requests, repeats, cuts, is_pipelined
):
    requests = [item for item in requests for _ in range(repeats)]
    with connected(server) as wire:
        if is_pipelined:
            send_in_pieces(wire, b"".join(KINDS[kind](value) for kind, value in requests), cuts)
        for kind, value in requests:
            if not is_pipelined:
                send_in_pieces(wire, KINDS[kind](value), cuts)
            status, headers, body = wire.answer()
            check(kind, value, status, headers, json.loads(body))


def send_in_pieces(wire, data: bytes, cuts: list[int]) -> None:
    start = 0
    for cut in cuts:
        wire.send(data[start : start + cut])
        start += cut
    wire.send(data[start:])


def check(kind: str, value: int, status: int, headers: dict[str, str], answer: object) -> None:
    if kind in ("no JSON", "none such", "not a command"):
        assert status == {"no JSON": 400, "none such": 404, "not a command": 200}[kind]
        return
    expected = [value] * 5 if kind == "longer" else value
    assert (status, answer) == (200, {"value": expected})
    assert (headers["x-request-id"] == f"n{value}") == (kind == "named")


def test_every_request_has_an_id_of_its_own(server):
    with connected(server) as wire:
        ids = set()
        for value in range(5):
            wire.send(post("/echo", echo(value)))
            ids.add(wire.answer()[1]["x-request-id"])

    assert len(ids) == 5


HEAD = b"POST /echo HTTP/1.1\r\nContent-Length: 2\r\n\r\n"
LENGTH = {"content-length": "2"}


def learned(data: bytes, size: int = 2, raw=(), headers=LENGTH) -> KnownHead | None:
    return known_head(data, size, b"/echo", raw, headers)


def test_what_is_kept_is_the_head_and_the_length_of_both():
    known = learned(HEAD + b"{}")

    assert known is not None
    assert (known.raw, known.length, known.total) == (HEAD, len(HEAD), len(HEAD) + 2)


@pytest.mark.parametrize(
    ("data", "changes"),
    [
        (b"GET / HTTP/1.1\r\n\r\n" + HEAD + b"{}", {}),  # an earlier request in front
        (HEAD + b"{}" + HEAD + b"{}", {}),
        (HEAD + b"{", {"size": 1}),
        (HEAD.replace(b"\r\n\r\n", b"\n\n") + b"{}", {}),
        (HEAD.replace(b"\r\n", b"\r\nX: " + b"x" * MAX_HEAD_BYTES + b"\r\n", 1) + b"{}", {}),
        (HEAD + b"{}", {"headers": {}}),
        (HEAD + b"{}", {"headers": {"content-length": "02"}}),
        (HEAD + b"{}", {"raw": [(b"transfer-encoding", b"chunked")]}),
        (HEAD + b"{}", {"raw": [(b"expect", b"100-continue")]}),
        (HEAD + b"{}", {"raw": [(b"upgrade", b"websocket")]}),
        (b"{}", {}),
        (
            HEAD + b" " * (INLINE_BODY_BYTES + 1),
            {
                "size": INLINE_BODY_BYTES + 1,
                "headers": {"content-length": str(INLINE_BODY_BYTES + 1)},
            },
        ),
    ],
)
def test_a_head_that_leaves_a_doubt_is_not_kept(data: bytes, changes: dict):
    assert learned(data, **changes) is None
