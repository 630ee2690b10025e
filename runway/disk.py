"""A full disk is the server's trouble: clients are told to come back, and nothing dies of it."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from runway.exceptions import Refusal

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class DiskFullError(Refusal):
    """The temporary directory has no room for a file that a request needs."""

    code = 503
    retry_after_s = 10.0  # somebody has to make room

    def __init__(self) -> None:
        super().__init__("No space left in the server's temporary directory (TMPDIR).")


def is_disk_full(error: BaseException) -> bool:
    """Whether an error is that of a full disk, or of a quota that is used up."""
    return isinstance(error, OSError) and error.errno in FULL


@contextmanager
def disk_full_is_told() -> Iterator[None]:
    """Raises `DiskFullError` where the block ran out of disk."""
    try:
        yield
    except OSError as error:
        if is_disk_full(error):
            raise DiskFullError from error
        raise
