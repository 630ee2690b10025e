"""Where the files of `file` and `directory` values may come from, and how long they stay.

A policy says which local paths and hosts are allowed; a session holds one policy and the scratch folder of what was
fetched under it. Downloading itself is `runway.fetch`, unpacking `runway.archives`.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from urllib.parse import urlsplit

from runway.archives import UnpackLimits, is_tarball, unpack
from runway.disk import disk_full_is_told
from runway.fetch import FetchLimits, fetch

GIB = 1024**3
NOT_THERE = "file path provided does not exist"
NOT_ALLOWED = "local path is not in an allowed directory"


@dataclass(frozen=True)
class FilePolicy:
    """What a `file` value may name, and how much of it is taken.

    Args:
        allow_paths: directories below which local files are allowed; None allows all.
        allow_hosts: hosts (`name` or `name:port`) allowed although their address is private; None allows all.
        max_bytes: size limit of one download.
        timeout_s: time limit of one download and its unpacking.
        max_members: limit on the files and folders in an archive.
        max_unpacked_bytes: limit on the unpacked size of an archive.
    """

    allow_paths: tuple[str, ...] | None = None
    allow_hosts: tuple[str, ...] | None = None
    max_bytes: int = 8 * GIB  # checkpoints of public models reach a few GB
    timeout_s: float = 600.0
    max_members: int = 100_000
    max_unpacked_bytes: int = 16 * GIB


class FileSession:
    """Files fetched under one policy, in a scratch folder that goes with `close()`. Owned by one thread."""

    def __init__(self, policy: FilePolicy, parent: FileSession | None = None) -> None:
        self.policy = policy
        self.parent = parent
        self.is_open = True
        self._scratch: str | None = None

    def scratch_directory(self) -> str:
        """A folder of this session, made when first needed."""
        if self._scratch is None:
            if _scratch_root is not None:
                os.makedirs(_scratch_root, mode=0o700, exist_ok=True)
            self._scratch = tempfile.mkdtemp(prefix="runway-files-", dir=_scratch_root)
            with _scratch_lock:
                _scratch_directories.add(self._scratch)
        return self._scratch

    def close(self) -> None:
        """Remove what was fetched."""
        self.is_open = False
        if self._scratch is not None:
            _remove(self._scratch)
            self._scratch = None


_session: ContextVar[FileSession | None] = ContextVar("runway_file_session", default=None)
_scratch_directories: set[str] = set()
_scratch_lock = threading.Lock()
_scratch_root: str | None = None
_outside = FileSession(FilePolicy())


def keep_scratch_in(directory: str) -> None:
    """Make the scratch folders of this process there, so that who outlives it can remove what it left."""
    global _scratch_root  # noqa: PLW0603 - one process, one place
    _scratch_root = directory


@contextmanager
def file_session(policy: FilePolicy | None = None, keep: bool = False) -> Iterator[FileSession]:
    """Fetch files under `policy` in the `with` block, and remove them after it.

    Args:
        policy: None restricts nothing.
        keep: leave the files until the session's `close()`, or the end of the process.
    """
    session = FileSession(policy or FilePolicy(), _current())
    _session.set(session)
    try:
        yield session
    finally:
        # Blocks of generators end in any order and in any context, so no token is reset: `_current` skips the closed.
        if not keep:
            session.close()
        session.is_open = False
        _session.set(_current())


def local_path(value: str) -> str:
    """A path that exists and is allowed: as given, or inside an allowed directory if it is relative.

    Raises:
        ValueError: it does not exist, or may not be told to exist.
    """
    allowed = current_policy().allow_paths
    candidates = [value]
    if allowed is not None and not os.path.isabs(value):
        candidates += [os.path.join(directory, value) for directory in allowed]
    permitted = [path for path in candidates if allowed is None or _is_below(path, allowed)]
    for path in permitted:
        if "\0" not in path and os.path.exists(path):
            return path
    raise ValueError(NOT_THERE if permitted else NOT_ALLOWED)


def download(url: str) -> str:
    """Path of a fetched file, or of the folder a fetched tarball was unpacked to.

    Raises:
        ValueError: the address is refused or unreachable, or what it gives is too large, too slow or unsafe.
        DiskFullError: there is no room for it.
    """
    with disk_full_is_told():
        return _downloaded(url)


def _downloaded(url: str) -> str:
    session = _current() or _outside
    policy = session.policy
    suffix = os.path.splitext(urlsplit(url).path)[1]
    handle, path = tempfile.mkstemp(
        suffix=suffix if suffix.isascii() and suffix[1:].isalnum() else "",
        dir=session.scratch_directory(),
    )
    with os.fdopen(handle, "wb") as target:
        limits = FetchLimits(policy.max_bytes, policy.timeout_s, policy.allow_hosts)
        fetch(url, target, limits)
    if not is_tarball(path):
        return path
    folder = unpack_local(path)
    os.unlink(path)
    return folder


def unpack_local(path: str) -> str:
    """Fresh folder of the session with the contents of a tarball.

    Raises:
        ValueError: it is not a safe archive within the policy's limits.
    """
    session = _current() or _outside
    policy = session.policy
    folder = tempfile.mkdtemp(dir=session.scratch_directory())
    limits = UnpackLimits(policy.max_members, policy.max_unpacked_bytes, policy.timeout_s)
    unpack(path, folder, limits)
    return folder


def current_policy() -> FilePolicy:
    """Policy of the innermost open session; outside of all nothing is restricted."""
    return (_current() or _outside).policy


def _current() -> FileSession | None:
    session = _session.get()
    while session is not None and not session.is_open:
        session = session.parent
    return session


def _is_below(path: str, directories: tuple[str, ...]) -> bool:
    """True if the real path, links resolved, is one of the directories or inside one."""
    try:
        real = os.path.realpath(path)
    except ValueError:  # a NUL in it
        return False
    roots = [os.path.realpath(directory) for directory in directories]
    return any(os.path.commonpath([real, root]) == root for root in roots)


def _remove(directory: str) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    with _scratch_lock:
        _scratch_directories.discard(directory)


@atexit.register
def _remove_what_is_left() -> None:
    for directory in list(_scratch_directories):
        _remove(directory)
