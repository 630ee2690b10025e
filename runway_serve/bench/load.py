"""`Load`: connections to a target, and runs of requests over them; what closed and open loops share."""

from __future__ import annotations

import asyncio
import errno
import ssl
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from typing import Any

from runway_serve.bench.connection import Connection
from runway_serve.bench.tally import Tally
from runway_serve.bench.target import Target

TICK_S = 0.1  # how often latencies are sorted, timeouts looked for and progress shown
CONNECT_ERRORS = (OSError, asyncio.TimeoutError)  # two classes until Python 3.11
REASONS = {errno.ECONNREFUSED: "connection refused", errno.ECONNRESET: "connection reset"}


class Load(ABC):
    """One run after another over kept connections; owned by one event loop.

    A run sends for some time or a number of requests, then waits for the answers that are due. `tally` is that of the
    present run. A connection calls `answered` or `failed` for its request, and `lost` when it is gone.
    """

    def __init__(self, target: Target, on_tick: Callable[[Load], None] = lambda _: None) -> None:
        self.tally = Tally()
        self.started_at = self.end_at = 0.0
        self._target = target
        self._request = target.request()
        self._tls = ssl.create_default_context() if target.is_tls else None
        self._on_tick = on_tick
        self._connections: set[Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._left = 0
        self._busy = 0  # requests or clients that a run has to wait for

    async def run(self, duration_s: float, limit: int | None = None) -> Tally:
        """What a run of `duration_s` and at most `limit` requests gave, once the last answer is there."""
        loop = asyncio.get_running_loop()
        self.tally = Tally()
        self._left = sys.maxsize if limit is None else limit
        self._busy = 0
        self._finished: asyncio.Future[float] = loop.create_future()
        self.started_at = time.monotonic()
        self.end_at = self.started_at + duration_s
        ticker = loop.create_task(self._tick())
        self._begin()
        try:
            ends: set[asyncio.Future[Any]] = {self._finished, ticker}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if ticker.done():
                ticker.result()  # it only ends by an error
        finally:
            ticker.cancel()
        self.tally.elapsed_s = min(self._finished.result(), self.end_at) - self.started_at
        self.tally.latencies.flush()
        return self.tally

    async def close(self) -> None:
        """Close all connections and wait until they are gone; a run that was cancelled does not go on."""
        self._left = 0
        for task in self._tasks:
            task.cancel()
        for connection in list(self._connections):
            connection.close()
        while self._connections or self._tasks:
            await asyncio.sleep(0)

    @abstractmethod
    def _begin(self) -> None:
        """Send the first requests of a run."""

    @abstractmethod
    def _proceed(self, connection: Connection, now: float) -> None:
        """The connection is free again: what comes next?"""

    @abstractmethod
    def _replace(self, connection: Connection) -> None:
        """The connection is gone: what comes next?"""

    def answered(self, connection: Connection, begun: float, now: float) -> None:
        """A good answer came."""
        self.tally.latencies.append(now - begun)
        if now >= self.end_at:
            self.tally.late += 1
        if not connection.is_lost:
            self._proceed(connection, now)

    def failed(self, connection: Connection, kind: str, text: str) -> None:
        """An error came instead of a good answer."""
        self.tally.fail(kind, text)
        if not connection.is_lost:
            self._proceed(connection, time.monotonic())

    def lost(self, connection: Connection) -> None:
        """The connection is gone; its request, if it had one, has been counted."""
        self._connections.discard(connection)
        self._replace(connection)

    def _may_send(self, now: float) -> bool:
        return self._left > 0 and now < self.end_at

    def _settle(self, now: float) -> None:
        """End the run if nothing is to be sent any more and nothing to be waited for."""
        if not self._busy and not self._may_send(now) and not self._finished.done():
            self._finished.set_result(now)

    async def _open(self) -> Connection:
        """A new connection.

        Raises:
            OSError, asyncio.TimeoutError: there is none to be had.
        """
        connecting = asyncio.get_running_loop().create_connection(
            lambda: Connection(self, self._request),
            self._target.host,
            self._target.port,
            ssl=self._tls,
        )
        _, connection = await asyncio.wait_for(connecting, self._target.timeout_s)
        self._connections.add(connection)
        return connection

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            now = time.monotonic()
            self.tally.latencies.flush()
            self.tally.lags.flush()
            for connection in list(self._connections):
                if connection.begun is not None and now - connection.sent > self._target.timeout_s:
                    text = f"no answer within {self._target.timeout_s:g} s"
                    connection.give_up("timeout", text)
            self._on_tick(self)
            self._settle(now)


def connect_failure(error: BaseException) -> tuple[str, str]:
    """Kind and text of an error that a new connection gave."""
    if isinstance(error, (TimeoutError, asyncio.TimeoutError)):
        return "timeout", "no connection in time"
    number = getattr(error, "errno", None)
    return REASONS.get(number or 0, "cannot connect"), str(error)
