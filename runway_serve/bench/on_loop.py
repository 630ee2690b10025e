"""`on_loop`: runs a coroutine function to its end, or to that of the user's patience."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

STOP_CHECK_S = 0.1
T = TypeVar("T")


def on_loop(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Result of a coroutine function on the fastest loop there is; called in the main thread.

    Ctrl-C only leaves a note meanwhile: Python's own handler raises in whatever callback runs just then, and uvloop
    takes that for an error of the connection.

    Raises:
        KeyboardInterrupt: Ctrl-C came; the coroutine was cancelled and has ended.
    """
    notes: list[int] = []
    earlier = signal.signal(signal.SIGINT, lambda number, _: notes.append(number))
    try:
        result = _run(_until_noted(work, notes))
    except asyncio.CancelledError as error:
        raise KeyboardInterrupt from error
    finally:
        signal.signal(signal.SIGINT, earlier)
    if notes:  # it came too late to cancel anything
        raise KeyboardInterrupt
    return result


def _run(work: Coroutine[Any, Any, T]) -> T:
    loop = _new_loop()
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(work)
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:  # not on every platform
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


async def _until_noted(work: Callable[[], Coroutine[Any, Any, T]], notes: list[int]) -> T:
    task = asyncio.get_running_loop().create_task(work())
    while not task.done() and not notes:
        await asyncio.wait({task}, timeout=STOP_CHECK_S)
    if notes:
        task.cancel()
    return await task
