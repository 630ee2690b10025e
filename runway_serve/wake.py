"""One timer of an event loop that is set anew with each look at the queue, mostly to the time it had."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable


class Wake:
    """Calls `call` once, at the last time planned or before; whoever is called too early plans again."""

    def __init__(self, loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
        self._loop = loop
        self._call = call
        self._timer: asyncio.TimerHandle | None = None
        self._due = math.inf

    def plan(self, due: float | None) -> None:
        """Be called at `due`, by the loop's clock; None: not at all."""
        if due is not None and due >= self._due:
            return  # an earlier call does no harm, and a timer costs more than a comparison
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if due is None else self._loop.call_at(due, self._go_off)
        self._due = math.inf if due is None else due

    def _go_off(self) -> None:
        self._timer, self._due = None, math.inf
        self._call()
