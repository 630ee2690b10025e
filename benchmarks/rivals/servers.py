"""One server of the comparison as a tree of processes: started, checked, paused, resumed and ended for certain."""

from __future__ import annotations

import ctypes
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from benchmarks.rivals.environment import ROOT
from runway_serve.bench import process_tree

START_LIMIT_S = 90.0
STOP_LIMIT_S = 3.0
LOG_TAIL_LINES = 3
ERROR_LINE = re.compile(r"\b\w*(Error|Exception)\b: |\bERROR\b|\[ALERT\]")
PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h

_roots: set[int] = set()  # first processes of living servers; touched by the main thread only


class NotRunningError(RuntimeError):
    """A server did not come up, or died; the message has the end of its log."""


def adopt_orphans() -> None:
    """Make this process the parent of descendants whose parents die, so that none gets away.

    Source: prctl(2); kept across execve.
    """
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class Server:
    """A contender serving one workload. Use as a context manager: nothing of it is left afterwards."""

    def __init__(self, name: str, command: list[str], workload: str, knobs: Mapping[str, Any]):
        self.name = name
        self.port = _free_port()
        # short: Unix sockets are made below it, and their paths may have 107 bytes
        self._folder = Path(tempfile.mkdtemp(prefix="rivals-"))
        self._command = [part.replace("{port}", str(self.port)) for part in command]
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self._folder),
            "TMPDIR": str(self._folder),
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "RIVAL_WORKLOAD": workload,
            "RIVAL_PORT": str(self.port),
            "RIVAL_LOCKS": str(self._folder),
            "RIVAL_KNOBS": json.dumps(dict(knobs)),
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._is_paused = False
        self._started_at = 0.0

    def __enter__(self) -> Server:
        self._started_at = time.monotonic()
        log = (self._folder / "log").open("wb")
        with log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=adopt_orphans,  # noqa: PLW1509 (no other thread runs while servers start)
            )
        _roots.add(self._process.pid)
        return self

    def __exit__(self, *_: object) -> None:
        self.resume()
        pids = self._pids()
        if self._process is not None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_LIMIT_S)
        _end([*pids, *self._pids()])
        if self._process is not None:
            self._process.wait()
            _roots.discard(self._process.pid)
        _end_adopted()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def pid(self) -> int:
        """Root of the tree.

        Raises:
            NotRunningError: it is not alive.
        """
        if self._process is None or self._process.poll() is not None:
            raise NotRunningError(f"{self.name} is not running: {self.log_tail()}")
        return self._process.pid

    def log_tail(self) -> str:
        """The last errors of its log, or its last words if it names none."""
        text = (self._folder / "log").read_text("utf8", "replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        errors = [line for line in lines if ERROR_LINE.search(line)]
        return " | ".join((errors or lines)[-LOG_TAIL_LINES:])[-400:]

    def age_s(self) -> float:
        """Seconds since its start."""
        return time.monotonic() - self._started_at

    def cpu_seconds(self) -> float:
        """Processor time of the tree so far."""
        return process_tree.cpu_seconds(self.pid)

    def memory_mb(self) -> float:
        """Memory of the tree, shared pages counted once."""
        return process_tree.memory_bytes(self.pid) / 1e6

    def pause(self) -> None:
        """Stop every process of the tree, parents first, so that an idle server costs the measured one nothing."""
        self._is_paused = True
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused tree go on."""
        if self._is_paused:
            self._is_paused = False
            self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        for pid in self._pids():
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def _pids(self) -> list[int]:
        if self._process is None:
            return []
        with suppress(ProcessLookupError):
            return [usage.pid for usage in process_tree.tree(self._process.pid)]
        return []


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _end(pids: list[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _end_adopted() -> None:
    """End what lost its server and became a child of ours: what is not in our session and no living root."""
    own = os.getpid()
    deadline = time.monotonic() + 2.0
    while time.monotonic() < deadline:
        adopted = [
            usage.pid
            for usage in process_tree.tree(own)
            if usage.parent == own
            and usage.pid not in _roots
            and _session(usage.pid) != os.getsid(0)
        ]
        if not adopted:
            return
        _end(adopted)
        for pid in adopted:
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return os.getsid(0)
