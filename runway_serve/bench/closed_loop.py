"""`ClosedLoop`: a fixed number of clients, each sends its next request when its answer came."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from runway_serve.bench.connection import Connection
from runway_serve.bench.load import CONNECT_ERRORS, Load, connect_failure
from runway_serve.bench.target import Target

RETRY_S = 0.1  # a client whose connection was refused should not keep the machine busy with asking


class ClosedLoop(Load):
    """`clients` connections. `_busy` counts the clients that are not at rest."""

    def __init__(
        self, target: Target, clients: int, on_tick: Callable[[Load], None] = lambda _: None
    ) -> None:
        super().__init__(target, on_tick)
        self._clients = clients
        self._resting: set[Connection] = set()

    async def connect(self) -> None:
        """Open the connections ahead of the first run; what fails now is tried again in the run."""
        opened = await asyncio.gather(
            *(self._open() for _ in range(self._clients)), return_exceptions=True
        )
        self._resting = {item for item in opened if isinstance(item, Connection)}

    def _begin(self) -> None:
        ready, self._resting = self._resting, set()
        self._busy = self._clients
        for connection in ready:
            self._proceed(connection, time.monotonic())
        for _ in range(self._clients - len(ready)):
            self._spawn(self._reopen())

    def _proceed(self, connection: Connection, now: float) -> None:
        if self._left > 0 and now < self.end_at:
            self._left -= 1
            self.tally.sent += 1
            connection.send(now, now)
        else:
            self._resting.add(connection)
            self._rest(now)

    def _replace(self, connection: Connection) -> None:
        if connection in self._resting:
            self._resting.discard(connection)
        else:
            self.tally.reconnects += 1
            self._spawn(self._reopen())

    async def _reopen(self) -> None:
        while self._may_send(time.monotonic()):
            try:
                connection = await self._open()
            except CONNECT_ERRORS as error:
                self.tally.fail(*connect_failure(error))
                await asyncio.sleep(RETRY_S)
                continue
            self._proceed(connection, time.monotonic())
            return
        self._rest(time.monotonic())

    def _rest(self, now: float) -> None:
        self._busy -= 1
        self._settle(now)
