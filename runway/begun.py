"""The begun cell: which task a worker began last, in a file that outlives it.

A worker writes a task's id here before it calls the author's function. When the worker dies, the front reads it: what
was begun failed and is not run again, what was not begun goes back into the queue.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import struct

_CELL = struct.Struct("<Q")


class BegunCell:
    """Eight bytes of shared memory behind a file; one process writes, any may read.

    Args:
        path: the file, made anew if `create`; who still has the cell of a process before keeps that one.
    """

    def __init__(self, path: str, create: bool = False) -> None:
        if create:
            _make(path)
        handle = os.open(path, os.O_RDWR)
        try:
            self._memory = mmap.mmap(handle, _CELL.size)
        finally:
            os.close(handle)

    def write(self, task_id: int) -> None:
        """This task begins now."""
        _CELL.pack_into(self._memory, 0, task_id)

    def read(self) -> int:
        """The task that began last; 0 before the first."""
        value: int = _CELL.unpack_from(self._memory)[0]
        return value

    def close(self) -> None:
        """Unmap the cell; the file stays."""
        self._memory.close()


def _make(path: str) -> None:
    """Put a zeroed cell at `path`, in a file that no process has used: the spare one, which a full disk had room for.

    Cells are written, not stretched: where the disk has no room, a mapped hole is a SIGBUS later.
    """
    spare = f"{path}.spare"
    if not os.path.exists(spare):
        _write_zero(spare)
    os.replace(spare, path)
    with contextlib.suppress(OSError):
        _write_zero(spare)


def _write_zero(path: str) -> None:
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(handle, bytes(_CELL.size))
    except OSError:
        os.unlink(path)
        raise
    finally:
        os.close(handle)


def cell_path(address: str) -> str:
    """The cell's file of the worker that listens at a ZeroMQ ipc address."""
    return address.removeprefix("ipc://") + ".begun"
