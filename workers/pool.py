"""Keeps worker processes alive: starts them, hears their reports, restarts them with growing pauses, ends them.

Owned by the supervisor's thread. It knows no sockets of the front; what it knows of a worker is in `WorkerState`.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import signal
import struct
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runway_serve.workers.child import (
    describe_exit,
    exit_kind,
    kill_group,
    module_command,
    scratch_path,
    worker_environment,
)
from runway_serve.workers.devices import Device
from runway_serve.workers.output import pump
from runway_serve.workers.reports import unpack

logger = logging.getLogger(__name__)

RESTART_BACKOFF_S = 1.0
RESTART_BACKOFF_MAX_S = 60.0  # a model that fails to load should not hammer the disk
LAST_LINES = 20  # of a worker's output, kept for the report of its death


@dataclass
class WorkerState:
    """One worker: its device, its present process, and how often it failed in a row.

    `state` is starting, loaded, ready, lost (waits for its restart), failed (given up) or stopped.
    """

    name: str
    device: Device
    address: str
    state: str = "lost"
    process: subprocess.Popen[bytes] | None = None
    status_fd: int = -1
    failures: int = 0
    restart_at: float = 0.0
    restarts: dict[str, int] = field(default_factory=dict)  # cause -> how often
    started_at: float = 0.0
    manifest: Mapping[str, Any] | None = None
    reason: str = ""  # why the process before the present one ended
    kill_reason: str = ""
    cause: str = ""  # why the present process will end, in one word, if that is known before
    error: str = ""
    generation: int = 0
    times_s: dict[str, float] = field(default_factory=dict)  # of the present process, by phase
    unread: bytes = b""
    last_lines: deque[str] = field(default_factory=lambda: deque(maxlen=LAST_LINES))
    printer: threading.Thread | None = None

    @property
    def pid(self) -> int | None:
        """Process id of the present process."""
        return self.process.pid if self.process else None


@dataclass(frozen=True)
class WorkerCommandLine:
    """What every worker of a pool runs with."""

    script: Path
    arguments: tuple[str, ...]
    options: Mapping[str, Any] | None
    policy: Mapping[str, Any]
    setup_attempts: int
    setup_timeout_s: float
    arena_fd: int | None = None
    warmup: str | None = None
    max_batch_size: int | None = None
    lanes: int = 1


class WorkerPool:
    """One process a `WorkerState`; `on_change` is called whenever one changed."""

    def __init__(
        self, states: list[WorkerState], line: WorkerCommandLine, on_change: Callable[[], None]
    ) -> None:
        self.states = states
        self.options = line.options
        self.generation = 0
        self.not_served = False
        self._line = line
        self._on_change = on_change
        self._stopping = False

    def tick(self, now: float) -> None:
        """Start what is due, give up on setups that take too long."""
        for worker in self.states:
            if worker.state == "lost" and now >= worker.restart_at and not self._stopping:
                self._start(worker, now)
            elif worker.state in ("starting", "loaded") and (
                now - worker.started_at > self._line.setup_timeout_s
            ):
                worker.error = (
                    f"setup took longer than {self._line.setup_timeout_s:g} s (--setup-timeout)"
                )
                self.kill(worker.name, worker.error, "setup_timeout")

    def next_tick(self) -> float | None:
        """When `tick` has something to do, in the clock of its argument."""
        moments = [w.restart_at for w in self.states if w.state == "lost"]
        moments += [
            w.started_at + self._line.setup_timeout_s
            for w in self.states
            if w.state in ("starting", "loaded")
        ]
        return min(moments, default=None)

    def kill(self, name: str, reason: str, cause: str, pid: int | None = None) -> None:
        """SIGKILL a worker, if it still has that pid; `reap` will see it gone. `cause` is the reason in one word."""
        for worker in self.states:
            if worker.name == name and worker.process is not None and pid in (None, worker.pid):
                worker.kill_reason, worker.cause = reason, cause
                kill_group(worker.process.pid, signal.SIGKILL)

    def read_reports(self, fd: int) -> bool:
        """Take what a worker wrote into its status pipe; whether there was something."""
        worker = next(w for w in self.states if w.status_fd == fd)
        try:
            data = os.read(fd, 1 << 20)
        except BlockingIOError:
            return False
        if not data:
            os.close(fd)
            worker.status_fd = -1
            return False
        worker.unread += data
        while len(worker.unread) >= 4:
            size = struct.unpack_from("<I", worker.unread)[0]
            if len(worker.unread) < 4 + size:
                break
            report = unpack(worker.unread[4 : 4 + size])
            worker.unread = worker.unread[4 + size :]
            self._hear(worker, report)
        return True

    def reap(self, now: float) -> None:
        """Notice processes that ended."""
        for worker in self.states:
            if worker.process is not None and worker.process.poll() is not None:
                while worker.status_fd >= 0 and self.read_reports(worker.status_fd):
                    pass
                self._lost(worker, worker.process.returncode, now)

    @property
    def has_failed(self) -> bool:
        """No worker is left to hope for."""
        return all(worker.state == "failed" for worker in self.states)

    def finish_printing(self, timeout_s: float) -> None:
        """Wait until what dead workers printed is in the log."""
        for worker in self.states:
            if worker.printer is not None:
                worker.printer.join(timeout_s)

    def stop(self, timeout_s: float) -> None:
        """End all workers: SIGTERM to their process groups, then SIGKILL."""
        self._stopping = True
        running = [w.process for w in self.states if w.process is not None]
        for process in running:
            kill_group(process.pid, signal.SIGTERM)
        for process in running:
            try:
                process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                logger.warning("worker process %d ignored SIGTERM", process.pid)
            kill_group(process.pid, signal.SIGKILL)
            process.wait()
        for worker in self.states:
            worker.state = "stopped"

    def _start(self, worker: WorkerState, now: float) -> None:
        read_fd, write_fd = os.pipe()
        os.set_blocking(read_fd, False)
        Path(worker.address.removeprefix("ipc://")).unlink(missing_ok=True)
        process = subprocess.Popen(
            module_command("runway_serve.workers"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=worker_environment(len(self.states), worker.device.environ()),
            pass_fds=[write_fd, *([] if self._line.arena_fd is None else [self._line.arena_fd])],
            start_new_session=True,
        )
        os.close(write_fd)
        config = {
            "script": str(self._line.script),
            "arguments": list(self._line.arguments),
            "options": self.options,
            "address": worker.address,
            "policy": dict(self._line.policy),
            "generation": self.generation,
            "status_fd": write_fd,
            "arena_fd": self._line.arena_fd,
            "warmup": self._line.warmup,
            "max_batch_size": self._line.max_batch_size,
            "lanes": self._line.lanes,
        }
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(json.dumps(config).encode() + b"\n")
            process.stdin.flush()
        except BrokenPipeError:
            logger.warning("worker %s ended before it began", worker.name)
        worker.printer = threading.Thread(
            target=pump, args=(process.stdout, worker.name, worker.last_lines), daemon=True
        )
        worker.printer.start()
        worker.process, worker.status_fd, worker.unread = process, read_fd, b""
        worker.state, worker.started_at = "starting", now
        worker.kill_reason = worker.error = worker.cause = ""
        worker.generation = self.generation
        self._on_change()

    def _hear(self, worker: WorkerState, report: Mapping[str, Any]) -> None:
        event = report["event"]
        if event == "loaded":
            worker.state, worker.manifest = "loaded", report["manifest"]
            worker.times_s = {"import": report["import_s"]}
        elif event == "ready":
            worker.state, worker.failures = "ready", 0
            worker.times_s |= {"setup": report["setup_s"], "warm-up": report["warmup_s"]}
            _log_ready(worker, time.monotonic() - worker.started_at)
        elif event == "setup_failed":
            worker.error, worker.cause = report["error"]["message"], "setup_failed"
            if report["error"]["code"] < 500:  # bad options stay bad, however often they are tried
                worker.failures = self._line.setup_attempts
        elif event == "warmup_failed":
            worker.error, worker.cause = report["error"]["message"], "warmup_failed"
            if not worker.restarts:  # the operator's file does not fit; later, it did once
                worker.failures = self._line.setup_attempts
        elif event == "load_failed":
            worker.error = report["message"].strip()
            worker.failures = self._line.setup_attempts
        elif event == "not_served":
            self.not_served = True
        self._on_change()

    def _lost(self, worker: WorkerState, code: int, now: float) -> None:
        was_ready = worker.state == "ready"
        assert worker.process is not None
        kill_group(worker.process.pid, signal.SIGKILL)  # children that it left behind
        shutil.rmtree(scratch_path(worker.address), ignore_errors=True)
        if worker.process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                worker.process.stdin.close()
        if worker.status_fd >= 0:  # a forked child has it open still
            os.close(worker.status_fd)
            worker.status_fd = -1
        worker.process = None
        reason = worker.kill_reason or describe_exit(code)
        worker.reason = reason
        worker.failures += 0 if was_ready else 1
        if worker.failures >= self._line.setup_attempts:
            worker.state = "failed"
            logger.error("worker %s failed: %s", worker.name, worker.error or reason)
        else:
            delay_s = RESTART_BACKOFF_S * 2 ** max(0, worker.failures - 1)
            delay_s = 0.0 if was_ready and now - worker.started_at > RESTART_BACKOFF_S else delay_s
            worker.state = "lost"
            worker.restart_at = now + min(delay_s, RESTART_BACKOFF_MAX_S)
            cause = worker.cause or exit_kind(code)
            worker.restarts[cause] = worker.restarts.get(cause, 0) + 1
            logger.warning("worker %s lost: %s; restart in %.0f s", worker.name, reason, delay_s)
            if worker.last_lines:
                logger.warning("worker %s said last: %s", worker.name, worker.last_lines[-1])
        self._on_change()


def _log_ready(worker: WorkerState, took_s: float) -> None:
    times_s = {"start": took_s - sum(worker.times_s.values()), **worker.times_s}
    split = ", ".join(f"{phase} {spent_s:.1f}" for phase, spent_s in times_s.items())
    logger.info("worker %s ready after %.1f s: %s", worker.name, took_s, split)
