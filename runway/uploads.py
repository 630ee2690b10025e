"""Files that the workspace page sends ahead of a call, so that `file` and `directory` inputs can name them.

A file gets a folder of its own and keeps its name; the answer is its path on this machine. When the sum passes the
limit the oldest ones go. Workers may read the folder (`FilePolicy`), nothing else on the disk becomes readable.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import IO

from runway.archives import UnpackLimits, unpack
from runway.disk import disk_full_is_told
from runway.exchange import BadBodyError

GIB = 1024**3
CHUNK_BYTES = 1 << 20
NAME_LENGTH = 120
UNPACK_TIMEOUT_S = 600.0
MAX_MEMBERS = 100_000


class UploadError(BadBodyError):
    """An upload cannot be kept; the message says why."""


class Uploads:
    """Keeps uploaded files below one directory; methods may be called from any thread.

    Args:
        directory: gives the directory, made when first needed; whoever made it removes it.
        max_bytes: limit of one upload, unpacked.
        max_total_bytes: when all uploads together pass it the oldest are removed.
    """

    def __init__(
        self,
        directory: Callable[[], str],
        max_bytes: int = 8 * GIB,
        max_total_bytes: int = 16 * GIB,
    ) -> None:
        self._directory = directory
        self.max_bytes = max_bytes
        self._max_total_bytes = max_total_bytes
        self._sizes: OrderedDict[str, int] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, name: str, content: IO[bytes], is_archive: bool) -> str:
        """Path of what was sent: the file, or the folder that an archive was unpacked to.

        Raises:
            UploadError: it is too long (413), has no usable name, or is no safe tar archive.
            DiskFullError: there is no room for it (503).
        """
        with disk_full_is_told():
            directory = self._directory()
            os.makedirs(directory, mode=0o700, exist_ok=True)
            folder = tempfile.mkdtemp(prefix="upload-", dir=directory)
            try:
                path = os.path.join(folder, _plain_name(name))
                size = self._write(path, content)
                if is_archive:
                    path = self._unpacked(path, folder)
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
        self._count(folder, size)
        return path

    def _write(self, path: str, content: IO[bytes]) -> int:
        size = 0
        with open(path, "xb") as target:
            while chunk := content.read(CHUNK_BYTES):
                size += len(chunk)
                if size > self.max_bytes:
                    raise UploadError(f"The file is larger than {self.max_bytes} bytes", 413)
                target.write(chunk)
        return size

    def _unpacked(self, archive: str, folder: str) -> str:
        target = tempfile.mkdtemp(dir=folder)
        limits = UnpackLimits(MAX_MEMBERS, self.max_bytes, UNPACK_TIMEOUT_S)
        try:
            unpack(archive, target, limits)
        except ValueError as error:
            raise UploadError(f"The folder could not be unpacked: {error}") from error
        os.unlink(archive)
        return target

    def _count(self, folder: str, size: int) -> None:
        with self._lock:
            self._sizes[folder] = size
            while len(self._sizes) > 1 and sum(self._sizes.values()) > self._max_total_bytes:
                oldest, _ = self._sizes.popitem(last=False)
                shutil.rmtree(oldest, ignore_errors=True)


def _plain_name(name: str) -> str:
    """A file name without folders, with the suffix that the sender gave it."""
    plain = name.replace("\\", "/").rsplit("/", 1)[-1].strip()
    plain = "".join(sign for sign in plain if sign.isprintable() and sign not in '<>:"|?*')
    if plain.strip(".") == "":
        raise UploadError("The upload needs a file name: POST ui/files?name=weights.pth")
    return plain[-NAME_LENGTH:]
