"""Connections of a front that stood still: what came meanwhile is read before anybody is hung up on."""

from __future__ import annotations

import signal
import time
from contextlib import ExitStack

import pytest

from runway.connections import BODY_BYTES_PER_S, SWEEPS, Connections
from runway.limits import HttpLimits
from tests.serve.test_http import KEEP_ALIVE_S, WIRE, Wire, connected, post
from tests.serving import serve
from tests.trust.test_recovery import front_of

HOT = post("/echo", b'{"value": 1}')
HEAD = b"GET /meta HTTP/1.1\r\nHost: x\r\n\r\n"
READ_S = 8.0


def test_who_asked_while_the_front_was_paused_is_answered_and_who_did_not_is_hung_up_on():
    kinds = {"command": [HOT], "route": [HEAD], "two at once": [HOT + HOT], "in pieces": [HOT[:9]]}
    with serve(WIRE, "--gpus", "none") as server, ExitStack() as kept:
        wires = {
            (kind, number): kept.enter_context(connected(server))
            for kind in (*kinds, "silent")
            for number in range(8)
        }
        for wire in wires.values():
            wire.send(HOT)
            assert wire.answer()[0] == 200
        front = front_of(server)
        front.send_signal(signal.SIGSTOP)
        try:
            for (kind, _), wire in wires.items():
                for part in kinds.get(kind, []):
                    wire.send(part)
            time.sleep(KEEP_ALIVE_S + 1.0)  # the pause itself: all timers are due when it ends
        finally:
            front.send_signal(signal.SIGCONT)

        for (kind, _), wire in wires.items():
            check(kind, wire)


def check(kind: str, wire: Wire) -> None:
    if kind == "silent":
        assert wire.is_closed()
        return
    if kind == "in pieces":
        wire.send(HOT[9:])
    for _ in range(2 if kind == "two at once" else 1):
        assert wire.answer()[0] == 200, kind


class Clock:
    """An event loop whose time is a number."""

    def __init__(self) -> None:
        self.now = 100.0
        self.due = 0.0
        self.callback = lambda: None

    def time(self) -> float:
        return self.now

    def call_at(self, due, callback, *arguments):
        self.due, self.callback = due, lambda: callback(*arguments)

    def sweep(self, late_s: float) -> None:
        self.now = self.due + late_s
        self.callback()


class Reading:
    """A connection in the middle of a request."""

    is_reading = True
    is_held_up = False
    is_ended = False
    reading_since: float | None = None

    def __init__(self, body_bytes: int) -> None:
        self.body_bytes = body_bytes

    def end_slow_request(self) -> None:
        self.is_ended = True


def swept(lates_s: list[float], body_bytes: int = 0) -> bool:
    """Whether a request that gets no further is ended, after sweeps that came so late."""
    clock, connection = Clock(), Reading(body_bytes)
    connections = Connections(HttpLimits(read_timeout_s=READ_S), lambda reason: None)
    connections.admit(connection, 1, clock)
    for late_s in lates_s:
        clock.sweep(late_s)
    return connection.is_ended


@pytest.mark.parametrize("at", range(1, SWEEPS + 1))
@pytest.mark.parametrize("pause_s", [2.0, 20.0, 3600.0])
def test_time_in_which_the_front_stood_still_is_not_the_clients(at: int, pause_s: float):
    lates_s = [0.0] * SWEEPS
    lates_s[at - 1] = pause_s

    assert not swept(lates_s)
    assert swept([*lates_s, 0.0])


def test_a_request_that_comes_too_slowly_is_ended_in_time():
    assert not swept([0.0] * SWEEPS)
    assert swept([0.0] * (SWEEPS + 1))
    assert not swept([0.0] * (SWEEPS + 1), body_bytes=BODY_BYTES_PER_S)
