"""Unpacks tarballs that anyone may have made: no way out of the folder, bounds on number, size and time.

Links and devices are refused with the whole archive, not skipped: a model given half of its files fails later, and
with a worse message.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import os
import shutil
import tarfile
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any, cast

from runway.disk import is_disk_full

OPENERS = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
MAX_READ_BYTES = (
    1 << 20
)  # tarfile reads a member's headers at once; ours have no business being longer
HEADER_BYTES = 4096  # room for the headers of one member, on top of its contents
BROKEN = (tarfile.TarError, OSError, EOFError, lzma.LZMAError, zlib.error)


@dataclass(frozen=True)
class UnpackLimits:
    """Bounds of one archive."""

    max_members: int
    max_bytes: int
    timeout_s: float


def is_tarball(path: str) -> bool:
    """True if the contents are a tar archive with something in it: plain, gzip, bzip2 or xz."""
    try:
        with _members_of(path, limit=64 * MAX_READ_BYTES) as archive:
            return archive.next() is not None
    except (*BROKEN, ValueError):
        return False


def unpack(path: str, folder: str, limits: UnpackLimits) -> None:
    """Write the files of an archive below `folder`.

    Raises:
        ValueError: a member leads out of the folder or is a link or a device, or a limit was passed.
        OSError: the disk is full.
    """
    deadline = time.monotonic() + limits.timeout_s
    total = 0
    allowance = limits.max_bytes + limits.max_members * HEADER_BYTES
    try:
        with _members_of(path, allowance) as archive:
            for index, member in enumerate(archive):
                total += member.size
                if index >= limits.max_members:
                    raise ValueError(
                        f"archive has more than {limits.max_members} members (--max-archive-files)"
                    )
                if total > limits.max_bytes:
                    raise ValueError(
                        f"archive unpacks to more than {limits.max_bytes} bytes (--max-archive-mb)"
                    )
                if time.monotonic() >= deadline:
                    raise ValueError(
                        f"archive took longer than {limits.timeout_s:g} s (--download-timeout)"
                    )
                _write(archive, member, folder)
    except BROKEN as error:
        if is_disk_full(error):
            raise
        raise ValueError("archive could not be unpacked") from error


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, folder: str) -> None:
    parts = [part for part in member.name.split("/") if part not in ("", ".")]
    if member.name.startswith("/") or ".." in parts or "\\" in member.name or ":" in member.name:
        raise ValueError("archive has a member that leads out of its folder")
    target = os.path.join(folder, *parts)
    if member.isdir():
        os.makedirs(target, exist_ok=True)
        return
    source = archive.extractfile(member) if member.isreg() else None
    if source is None:
        raise ValueError("archive has a link or a device in it")
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with source, open(target, "wb") as file:
        shutil.copyfileobj(source, file)


@contextlib.contextmanager
def _members_of(path: str, limit: int) -> Iterator[tarfile.TarFile]:
    """The archive, read through its compression and never beyond `limit` bytes."""
    with open(path, "rb") as raw:
        start = raw.read(6)
    opener: Any = next((o for magic, o in OPENERS.items() if start.startswith(magic)), open)
    with opener(path, "rb") as unpacked:
        bounded = cast(IO[bytes], _Bounded(unpacked, limit))
        with tarfile.open(fileobj=bounded, mode="r:") as archive:
            yield archive


class _Bounded:
    """A readable that refuses long reads and far positions, as a small archive can promise any of both."""

    def __init__(self, inner: IO[bytes], limit: int) -> None:
        self._inner = inner
        self._limit = limit

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= MAX_READ_BYTES or self._inner.tell() + size > self._limit:
            raise ValueError("archive is too large")
        return self._inner.read(size)

    def seek(self, offset: int) -> int:
        if offset > self._limit:
            raise ValueError("archive is too large")
        return self._inner.seek(offset)

    def tell(self) -> int:
        return self._inner.tell()
