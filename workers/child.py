"""How child processes of the supervisor are started, ended, and their ends described."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Mapping

from runway_serve.workers.cores import thread_limits

ARENA_BYTES = 1 << 30  # of addresses; memory is used only where something was written

# glibc gives large arrays back to the system when they are freed, and faults their pages in again for the next image:
# about a millisecond for 512 x 512 pixels. These settings keep them.
CHILD_ENVIRONMENT = {
    "MALLOC_MMAP_THRESHOLD_": str(256 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 30),
}


def worker_environment(workers: int, device: Mapping[str, str]) -> dict[str, str]:
    """For the process of one of so many workers; `device` says which device it sees."""
    ours = {**CHILD_ENVIRONMENT, **thread_limits(workers)}
    return {**ours, **os.environ, "PYTHONUNBUFFERED": "1", **device}


def module_command(name: str) -> list[str]:
    """`python -m name` that finds our modules, not those of the working directory that are called the same."""
    # Without -P the working directory comes first, and a model's repository may have a runway/ of its own.
    is_safe = ["-P"] if sys.version_info >= (3, 11) else []
    return [sys.executable, *is_safe, "-m", name]


def scratch_path(address: str) -> str:
    """Where the worker at a ZeroMQ ipc address puts the files it fetches."""
    return address.removeprefix("ipc://") + ".files"


def describe_exit(code: int) -> str:
    """How a process ended, in words."""
    hint = "; out of memory?" if code == -signal.SIGKILL else ""
    return f"{exit_kind(code)}{hint}"


def exit_kind(code: int) -> str:
    """`exit code 3` or `signal 9`."""
    return f"exit code {code}" if code >= 0 else f"signal {-code}"


def kill_group(pid: int, number: int) -> None:
    """Send a signal to a process and all that it started, if any of them still lives."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def make_arena() -> int | None:
    """A file descriptor for an arena, None where the system has no nameless memory files."""
    if not hasattr(os, "memfd_create"):
        return None
    handle = os.memfd_create("runway-serve")
    os.ftruncate(handle, ARENA_BYTES)
    return handle
