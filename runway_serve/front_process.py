"""The supervisor's hand on the front: starts it, starts it again when it is lost, stops it.

Also the mark by which the front tells that the supervisor is gone: a lock that ends with its holder.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from runway_serve.config import FrontConfig
from runway_serve.workers.child import (
    CHILD_ENVIRONMENT,
    describe_exit,
    kill_group,
    module_command,
)

logger = logging.getLogger(__name__)

FRONT_ENVIRONMENT = {
    **CHILD_ENVIRONMENT,
    "MALLOC_ARENA_MAX": "1",  # with a heap for each codec thread, memory creeps up with pictures (docs/performance.md)
}
FRONT_CONFIG_VARIABLE = "RUNWAY_FRONT_CONFIG"
RESTART_S = 1.0
STOP_S = 3.0
REMOVE_S = 2.0


class FrontProcess:
    """The front's process group: gunicorn's master and its one worker."""

    def __init__(self, config: FrontConfig) -> None:
        self._config = config
        self._process: subprocess.Popen[bytes] | None = None
        self._due = 0.0

    def keep_alive(self, now: float) -> None:
        """Start the front if it does not run; after a loss not before `RESTART_S`."""
        if self._process is not None and self._process.poll() is not None:
            logger.error("front lost: %s", describe_exit(self._process.returncode))
            self._end_group()
            self._due = now + RESTART_S
        if self._process is None and now >= self._due:
            self._start()

    def stop(self) -> None:
        """End the front: by its life-line and SIGTERM, then by SIGKILL."""
        if self._process is None:
            return
        self._close_lifeline()
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_S)
        self._end_group()

    def _start(self) -> None:
        settings = {FRONT_CONFIG_VARIABLE: json.dumps(self._config.to_dict())}
        handles = [self._config.listen_fd, self._config.arena_fd]
        self._process = subprocess.Popen(
            module_command("runway_serve.front"),
            stdin=subprocess.PIPE,
            env={**FRONT_ENVIRONMENT, **os.environ, **settings},
            pass_fds=[handle for handle in handles if handle is not None],
            start_new_session=True,
        )

    def _end_group(self) -> None:
        """Kill what is left: a worker whose master is gone must not answer beside the next one."""
        assert self._process is not None
        kill_group(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._close_lifeline()
        self._process = None

    def _close_lifeline(self) -> None:
        assert self._process is not None
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()


def uploads_folder(folder: Path) -> str:
    """Where a server with that folder keeps uploaded files; the front writes there, workers read."""
    return str(folder / "uploads")


def hold_folder(folder: Path) -> int:
    """Lock a server's folder for the life of this process."""
    handle = os.open(folder / "held", os.O_CREAT | os.O_RDWR, 0o600)
    fcntl.flock(handle, fcntl.LOCK_EX)
    return handle


def is_held(folder: Path) -> bool:
    """Whether the process that holds a server's folder still lives."""
    try:
        handle = os.open(folder / "held", os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def remove_folder(folder: Path) -> None:
    """Remove a server's folder; a process that is just ending may still put a file there."""
    deadline = time.monotonic() + REMOVE_S
    while folder.exists() and time.monotonic() < deadline:
        shutil.rmtree(folder, ignore_errors=True)
