"""`PreciseTimer`: wakes the event loop at a time of the monotonic clock, to tens of microseconds.

The timers of event loops are rounded to milliseconds, which is more than many servers take for an answer. Linux has
timers that are files; elsewhere the loop's own serves, and the lag it causes is part of the report.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import sys
import time
from collections.abc import Callable

CLOCK_MONOTONIC = 1
TFD_TIMER_ABSTIME = 1


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Setting(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


class PreciseTimer:
    """Calls `wake` on the event loop once for each `set`; belongs to the loop that runs when it is made."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._loop = asyncio.get_running_loop()
        self._handle: asyncio.TimerHandle | None = None
        self._file: int | None = None
        if sys.platform == "linux":
            self._libc = ctypes.CDLL(None, use_errno=True)
            self._setting = _Setting()
            self._file = self._libc.timerfd_create(CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
            if self._file < 0:
                raise OSError(ctypes.get_errno(), "timerfd_create failed")
            self._loop.add_reader(self._file, self._expired)

    def set(self, at: float) -> None:
        """Wake at `at`, a value of `time.monotonic()`; replaces an earlier setting."""
        if self._file is None:
            self.cancel()
            self._handle = self._loop.call_later(max(0.0, at - time.monotonic()), self._wake)
            return
        value = self._setting.value
        value.seconds = int(at)
        value.nanoseconds = int((at % 1) * 1e9)
        self._libc.timerfd_settime(self._file, TFD_TIMER_ABSTIME, ctypes.byref(self._setting), None)

    def cancel(self) -> None:
        """Do not wake."""
        if self._handle:
            self._handle.cancel()
            self._handle = None

    def close(self) -> None:
        """Never wake again."""
        self.cancel()
        if self._file is not None:
            self._loop.remove_reader(self._file)
            os.close(self._file)
            self._file = None

    def _expired(self) -> None:
        assert self._file is not None
        with contextlib.suppress(BlockingIOError):  # it was set anew since it expired
            os.read(self._file, 8)
            self._wake()
