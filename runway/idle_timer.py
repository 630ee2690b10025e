"""When a kept connection is closed: one timer that looks again when it is due, instead of a new one a request."""

from __future__ import annotations

import asyncio

# A process that was stopped runs its timers before it reads what came meanwhile, and to close on that would reset the
# connection. So idle ones are left until the loop has read once more.
LAST_LOOK_S = 0.05


class IdleTimer:
    """Closes a transport that was idle for `limit_s`. `since` is when it became so, None while it is not."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport, limit_s: float
    ) -> None:
        self.since: float | None = None
        self._loop = loop
        self._transport = transport
        self._limit_s = limit_s
        self._last_look_of: float | None = None  # a `since`
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """The connection is idle from now on."""
        self.since = self._loop.time()
        if self._timer is None:
            self._timer = self._loop.call_later(self._limit_s, self._look)

    def stop(self) -> None:
        """The connection is gone."""
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        self._timer = None
        if self.since is None or self._transport.is_closing():
            return
        left_s = self.since + self._limit_s - self._loop.time()
        if left_s <= 0:
            if self._last_look_of == self.since:
                self._transport.close()
                return
            self._last_look_of = self.since
            left_s = LAST_LOOK_S
        self._timer = self._loop.call_later(left_s, self._look)
