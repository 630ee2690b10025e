"""Shared memory for large arrays between the front and its workers.

The supervisor makes one nameless file in memory and hands it down, so nothing is left behind however processes end. The
front alone gives out room: it leases blocks for the inputs of a batch, and one for its outputs, which the worker fills.
"""

from __future__ import annotations

import mmap
import os
import threading
import weakref
from collections import defaultdict, deque
from typing import Any

import numpy as np

Bytes = np.ndarray[Any, np.dtype[np.uint8]]

SHARE_BYTES = 32_768  # smaller arrays cost less as part of a message
SMALLEST_BLOCK = 65_536
COUNT_BYTES = 8


class Arena:
    """The mapped arena; any process may look at it."""

    def __init__(self, handle: int) -> None:
        self.size = os.fstat(handle).st_size
        self._bytes: Bytes = np.frombuffer(mmap.mmap(handle, self.size), np.uint8)

    def at(self, offset: int, size: int) -> Bytes:
        """The bytes at a place.

        Raises:
            ValueError: the place lies outside.
        """
        if offset < 0 or size < 0 or offset + size > self.size:
            raise ValueError(f"{size} bytes at {offset} are not in the arena")
        return self._bytes[offset : offset + size]


class ArenaRoom(Arena):
    """The front's side of an arena, for any of its threads: gives out blocks, free again when the lease is garbage.

    Args:
        handle: the arena's file. A count at its beginning tells a front which half to use: not that of the front
            before, as a worker may still write into one of its blocks.
    """

    def __init__(self, handle: int) -> None:
        super().__init__(handle)
        self._memory = self._bytes.data
        count = self._bytes[:COUNT_BYTES].view(np.uint64)
        part = int(count[0]) % 2
        count += np.uint64(1)
        self._next = part * self.size // 2 or SMALLEST_BLOCK
        self._end = (part + 1) * self.size // 2
        self._free: dict[int, deque[int]] = defaultdict(deque)
        self._bump = threading.Lock()
        self._address = self._bytes.ctypes.data

    def lease(self, size: int) -> tuple[int, Bytes] | None:
        """Offset and bytes of a block of at least `size`, None when the arena is full.

        The block is free again when the bytes, and every array that looks at them, are gone.
        """
        block = max(SMALLEST_BLOCK, 1 << (size - 1).bit_length())
        free = self._free[block]
        try:
            # the block used last, so that no more memory is touched than is in use at a time
            offset = free.pop()  # may be filled by another thread's garbage, so no test before
        except IndexError:
            with self._bump:
                if self._next + block > self._end:
                    return None
                offset = self._next
                self._next += block
        leased = np.frombuffer(self._memory[offset : offset + block], np.uint8)
        weakref.finalize(leased, free.append, offset).atexit = False
        return offset, leased

    def offset_of(self, array: np.ndarray[Any, Any]) -> int | None:
        """Where an array lies if it was made in a leased block, else None."""
        offset: int = array.ctypes.data - self._address
        return offset if 0 <= offset < self.size else None


_pixel_room: ArenaRoom | None = None


def decode_into(room: ArenaRoom | None) -> None:
    """Have this process decode pictures straight into blocks of an arena."""
    global _pixel_room  # noqa: PLW0603 - one front, one arena
    _pixel_room = room


def pixel_buffer(size: int) -> Bytes | None:
    """Bytes to decode a picture into, where they need not be copied to reach a worker; None: anywhere."""
    if _pixel_room is None or size < SHARE_BYTES:
        return None
    leased = _pixel_room.lease(size)
    return None if leased is None else leased[1][:size]


class RoomWriter:
    """Writes arrays one after the other into a leased block, in the process that was given it."""

    def __init__(self, arena: Arena | None) -> None:
        self._arena = arena
        self._next = self._end = 0

    def open(self, room: tuple[int, int] | None) -> None:
        """Write into this block from now on; None: into none."""
        self._next, size = room or (0, 0)
        self._end = self._next + size

    def place(self, array: np.ndarray[Any, Any]) -> int | None:
        """Offset of the array's copy in the block, None if it does not fit."""
        offset = -(-self._next // 64) * 64  # vector instructions like aligned memory
        if self._arena is None or offset + array.nbytes > self._end:
            return None
        self._arena.at(offset, array.nbytes)[:] = array.reshape(-1).view(np.uint8)
        self._next = offset + array.nbytes
        return offset
