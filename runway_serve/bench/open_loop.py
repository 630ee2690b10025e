"""`OpenLoop`: requests are due at times of their own, whatever the server does.

Latencies count from the time a request was due, not from when it was sent, so a stalled server cannot hide the
requests it held up.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from runway_serve.bench.connection import Connection
from runway_serve.bench.load import CONNECT_ERRORS, Load, connect_failure
from runway_serve.bench.precise_timer import PreciseTimer
from runway_serve.bench.target import Target


class OpenLoop(Load):
    """`rate_per_s` requests on as many connections as it takes, at most `max_connections`.

    Requests that are due while all connections are taken wait in no queue: they are the next of the schedule, which
    stands still until a connection is free. `_busy` counts requests under way.
    """

    def __init__(
        self,
        target: Target,
        rate_per_s: float,
        *,
        is_poisson: bool = True,
        max_connections: int = 1024,
        seed: int = 0,
        on_tick: Callable[[Load], None] = lambda _: None,
    ) -> None:
        super().__init__(target, on_tick)
        self._rate_per_s = rate_per_s
        self._random = random.Random(seed) if is_poisson else None  # nosec B311 # load, repeatable
        self._max_connections = max_connections
        self._opened = 0  # and being opened
        self._free: list[Connection] = []  # the last used goes first, so the pool stays small
        self._due_at = 0.0
        self._is_starved = False
        self._timer = PreciseTimer(self._pump)

    async def close(self) -> None:
        """Close all connections and the timer."""
        self._timer.close()
        await super().close()

    def _begin(self) -> None:
        self._due_at = self.started_at
        self._advance()
        self._timer.set(self._due_at)

    def _advance(self) -> None:
        if self._random:
            self._due_at += self._random.expovariate(self._rate_per_s)
        else:
            self._due_at += 1 / self._rate_per_s

    def _pump(self) -> None:
        """Send all that is due, and wake up for the next."""
        now = time.monotonic()
        while self._may_send(self._due_at):
            if self._due_at > now:
                self._timer.set(self._due_at)
                return
            if self._free:
                self.tally.lags.append(now - self._due_at)
                self._busy += 1
                self._free.pop().send(self._take(), now)
            elif self._opened < self._max_connections:
                self._busy += 1
                self._opened += 1
                self._spawn(self._open_and_send(self._take()))
            else:
                self._is_starved = True
                return

    def _take(self) -> float:
        """When the next request was due; the schedule moves on."""
        due_at = self._due_at
        self._left -= 1
        self.tally.sent += 1
        self._advance()
        return due_at

    async def _open_and_send(self, due_at: float) -> None:
        try:
            connection = await self._open()
        except CONNECT_ERRORS as error:
            self.tally.fail(*connect_failure(error))
            self._opened -= 1
            self._end_one(time.monotonic())
            return
        connection.send(due_at, time.monotonic())

    def _proceed(self, connection: Connection, now: float) -> None:
        if self._is_starved and self._due_at <= now < self.end_at and self._left > 0:
            self.tally.queued += 1
            connection.send(self._take(), now)
            return
        self._free.append(connection)
        self._end_one(now)

    def _replace(self, connection: Connection) -> None:
        self._opened -= 1
        if connection in self._free:
            self._free.remove(connection)
        else:
            self.tally.reconnects += 1
            self._end_one(time.monotonic())

    def _end_one(self, now: float) -> None:
        """A request is over and has left room for another."""
        self._busy -= 1
        if self._is_starved:
            self._is_starved = False
            if now < self.end_at:
                self._pump()
            else:
                self._drop()
        self._settle(now)

    def _drop(self) -> None:
        """Count what was due before the end and never found a connection."""
        while self._may_send(self._due_at):
            self._left -= 1
            self.tally.fail("not sent", f"all {self._max_connections} connections were taken")
            self._advance()
