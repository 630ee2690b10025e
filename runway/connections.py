"""What clients keep open: how many connections, and for how long a request may take to arrive.

`runway.http_protocol` announces its connections here. Nothing is done a request: a sweep looks at the connections that
are in the middle of one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from runway.limits import HttpLimits

if TYPE_CHECKING:
    from runway.http_protocol import RunwayHttpProtocol

BODY_BYTES_PER_S = 16_384  # a body that comes at this rate may take longer than the limit
SWEEPS = 4  # within the time limit; so much later, in parts of it, a slow client may be told


class Connections:
    """The open connections of a server; owned by the event loop."""

    def __init__(self, limits: HttpLimits, note_turned_away: Callable[[str], None]) -> None:
        self.limits = limits
        self.note_turned_away = note_turned_away
        self._open: set[RunwayHttpProtocol] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0  # when the next sweep should begin

    def admit(
        self, connection: RunwayHttpProtocol, count: int, loop: asyncio.AbstractEventLoop
    ) -> bool:
        """Whether a new connection may stay, the `count`th with all WebSockets."""
        self._open.add(connection)
        if self._timer is None:
            self._plan(loop)
        return count <= self.limits.max_connections

    def forget(self, connection: RunwayHttpProtocol) -> None:
        """A connection is closed, or has become a WebSocket."""
        self._open.discard(connection)

    def _plan(self, loop: asyncio.AbstractEventLoop) -> None:
        self._due = loop.time() + self.limits.read_timeout_s / SWEEPS
        self._timer = loop.call_at(self._due, self._sweep, loop)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        """End the requests that come too slowly."""
        self._timer = None
        now = loop.time()
        # A process that was stopped could not read; that is not the client's fault.
        late_s = max(0.0, now - self._due)
        for connection in list(self._open):
            if connection.is_reading:
                if connection.reading_since is not None:
                    connection.reading_since += late_s
                self._look_at(connection, now)
        if self._open:
            self._plan(loop)

    def _look_at(self, connection: RunwayHttpProtocol, now: float) -> None:
        if connection.reading_since is None or connection.is_held_up:
            connection.reading_since = now
            return
        allowed_s = self.limits.read_timeout_s + connection.body_bytes / BODY_BYTES_PER_S
        if now - connection.reading_since >= allowed_s:
            self.note_turned_away("too_slow")
            connection.end_slow_request()
