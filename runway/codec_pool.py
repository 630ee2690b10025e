"""Threads for codec work, with as little between them and the event loop as there can be.

An executor's futures cost tens of microseconds a call under load; here a call is one queue entry and one wake-up.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")
_Job = tuple[Callable[[], Any], "asyncio.Future[Any]"]


class CodecPool:
    """A few threads that do work for one event loop; they start with the first work and end with the process."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._is_started = False

    async def run(self, work: Callable[[], T]) -> T:
        """Result of `work`, done in a thread; what it raises is raised here."""
        loop = asyncio.get_running_loop()
        if not self._is_started:
            self._start(loop)
        future: asyncio.Future[T] = loop.create_future()
        self._jobs.put((work, future))
        return await future

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._is_started = True
        for index in range(self._threads):
            name = f"codec-{index}"
            threading.Thread(target=self._serve, args=(loop,), name=name, daemon=True).start()

    def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        while True:
            work, future = self._jobs.get()
            if future.cancelled():
                continue
            result: Any = None
            failed: BaseException | None = None
            try:
                result = work()
            except BaseException as error:
                failed = error
            try:
                loop.call_soon_threadsafe(_settle, future, result, failed)
            except RuntimeError:  # the loop is closed: the server stops
                return
            del work, future, result, failed  # a thread that waits must not keep a picture alive


def _settle(future: asyncio.Future[Any], result: Any, failed: BaseException | None) -> None:
    if future.done():
        return
    if failed is None:
        future.set_result(result)
    else:
        future.set_exception(failed)
