"""Threads for codec work, with as little between them and the event loop as there can be.

An executor's futures cost tens of microseconds a call under load; here a call is one queue entry and one wake-up.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")
Done = Callable[[Any, "BaseException | None"], None]
_Job = tuple[asyncio.AbstractEventLoop, Callable[[], Any], Done]


class CodecPool:
    """A few threads that do work for event loops; they start with the first work and end with the process."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._is_started = False

    def start(self, loop: asyncio.AbstractEventLoop, work: Callable[[], Any], done: Done) -> None:
        """Have `work` done in a thread; `done` gets its result and None, or None and its error, on the loop."""
        if not self._is_started:
            self._is_started = True
            for index in range(self._threads):
                name = f"codec-{index}"
                threading.Thread(target=self._serve, name=name, daemon=True).start()
        self._jobs.put((loop, work, done))

    async def run(self, work: Callable[[], T]) -> T:
        """Result of `work`, done in a thread; what it raises is raised here."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def done(result: T, error: BaseException | None) -> None:
            if future.done():
                return
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

        self.start(loop, work, done)
        return await future

    def _serve(self) -> None:
        while True:
            loop, work, done = self._jobs.get()
            result: Any = None
            failed: BaseException | None = None
            try:
                result = work()
            except BaseException as error:
                failed = error
            with suppress(RuntimeError):  # the loop is closed: the server stops
                loop.call_soon_threadsafe(done, result, failed)
            del work, done, result, failed  # a thread that waits must not keep a picture alive
