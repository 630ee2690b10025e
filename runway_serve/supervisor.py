"""The main process of `runway-serve`: binds the port, keeps workers and the front alive, tells the front who lives.

One thread, one poller. No model, no torch and no HTTP here.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import zmq

from runway_serve.config import ConfigError, FrontConfig, ServeConfig
from runway_serve.examples.catalogue import advice_for
from runway_serve.front_process import FrontProcess, hold_folder, remove_folder, uploads_folder
from runway_serve.listener import bind, is_loopback, url_of
from runway_serve.workers.child import make_arena
from runway_serve.workers.devices import NoUsableGpuError, discover
from runway_serve.workers.pool import WorkerCommandLine, WorkerPool, WorkerState
from runway_serve.workers.reports import pack, unpack

logger = logging.getLogger(__name__)
POLL_MS = 1000  # heartbeat of the loop; events wake it at once
PRINTED_WITHIN_S = 1.0  # what a worker's own children still hold of its output is not waited for


class Supervisor:
    """Runs a server from start to end; `run` returns the exit code."""

    def __init__(self, config: ServeConfig) -> None:
        self._config = config
        self._folder = Path()
        self._front_identity: bytes | None = None
        self._tallies: dict[str, Any] | None = None  # what a front last showed at `/metrics`
        self._stop_signals = 0
        self._drain_until: float | None = None
        self._changed = False
        self._is_announced = False

    def run(self) -> int:
        """Serve until a signal; 0 after a clean stop, 1 when no worker is left to hope for.

        Raises:
            ConfigError: the port is taken, or no GPU of the wanted ones is usable.
        """
        began = time.monotonic()
        listener = bind(self._config.host, self._config.port)
        try:
            found = discover(
                self._config.gpus,
                cpu_workers=self._config.cpu_workers,
                workers_per_gpu=self._config.workers_per_gpu,
                visible=os.environ.get("CUDA_VISIBLE_DEVICES"),
            )
        except NoUsableGpuError as error:
            listener.close()
            raise ConfigError(str(error)) from error
        for note in found.notes:
            logger.warning("%s", note)
        wakeup = self._watch_signals()
        self._folder = Path(tempfile.mkdtemp(prefix="runway-serve-"))
        self._hold = hold_folder(self._folder)
        context = zmq.Context()
        self._control = context.socket(zmq.ROUTER)
        self._control.bind(self._control_address)
        states = [
            WorkerState(f"worker-{index}", device, f"ipc://{self._folder}/worker-{index}")
            for index, device in enumerate(found.devices)
        ]
        arena_fd = make_arena()
        front = FrontConfig.of(
            self._config, self._control_address, listener.fileno(), len(states), arena_fd
        )
        self._front = FrontProcess(front)
        self._pool = WorkerPool(states, self._worker_line(arena_fd), self._note_change)
        if not is_loopback(self._config.host) and not self._config.token_digests:
            logger.warning(
                "anyone who can reach %s may run this model; set RW_TOKEN, or bind 127.0.0.1 to keep it here",
                self._config.host,
            )
        logger.info(
            "%d workers: %s",
            len(states),
            ", ".join(f"{w.name} on {w.device.label}" for w in states),
        )
        try:
            return self._loop(wakeup, began)
        finally:
            self._end(listener, context)

    @property
    def _control_address(self) -> str:
        return f"ipc://{self._folder}/control"

    def _worker_line(self, arena_fd: int | None) -> WorkerCommandLine:
        config = self._config
        return WorkerCommandLine(
            config.script,
            config.arguments,
            config.model_options,
            config.file_policy(uploads_folder(self._folder)),
            config.setup_attempts,
            config.setup_timeout_s,
            arena_fd,
            config.warmup,
            config.max_batch_size,
            config.lanes,
        )

    def _watch_signals(self) -> int:
        read_fd, write_fd = os.pipe()
        os.set_blocking(read_fd, False)
        os.set_blocking(write_fd, False)
        signal.set_wakeup_fd(write_fd)

        def stop(_number: int, _frame: object) -> None:
            self._stop_signals += 1

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        return read_fd

    def _loop(self, wakeup: int, began: float) -> int:
        while True:
            now = time.monotonic()
            self._pool.reap(now)
            self._pool.tick(now)
            if self._pool.not_served:
                return self._run_alone()
            if self._pool.has_failed:
                return self._report_failure()
            if not self._stop_signals:
                self._front.keep_alive(now)
            self._send_snapshot()
            self._announce(began)
            if self._is_over(now):
                return 0
            self._wait(wakeup, now)

    def _wait(self, wakeup: int, now: float) -> None:
        poller = zmq.Poller()
        poller.register(wakeup, zmq.POLLIN)
        poller.register(self._control, zmq.POLLIN)
        fds = [w.status_fd for w in self._pool.states if w.status_fd >= 0]
        for fd in fds:
            poller.register(fd, zmq.POLLIN)
        due = self._pool.next_tick()
        timeout_ms = POLL_MS if due is None else max(0, min(POLL_MS, int((due - now) * 1000) + 1))
        ready = dict(poller.poll(timeout_ms))
        if wakeup in ready:
            os.read(wakeup, 4096)
        for fd in fds:
            if fd in ready:
                self._pool.read_reports(fd)
        if self._control in ready:
            self._hear_front()

    def _hear_front(self) -> None:
        while True:
            try:
                identity, *frames = self._control.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            try:
                (frame,) = frames
                self._take_message(identity, unpack(frame))
            except (ValueError, KeyError, TypeError) as error:
                logger.warning("supervisor dropped a message: %r", error)

    def _take_message(self, identity: bytes, message: dict[str, Any]) -> None:
        if message["op"] == "hello":
            self._front_identity = identity
            self._changed = True
        elif message["op"] == "options":
            generation, options = message["generation"], message["options"]
            names = set(message["workers"])
            self._pool.generation, self._pool.options = generation, options
            for worker in self._pool.states:
                if worker.name in names:
                    worker.generation = generation
        elif message["op"] == "kill":
            pid, reason, cause = message["pid"], message["reason"], message["cause"]
            self._pool.kill(message["worker"], reason, cause, pid)
        elif message["op"] == "tallies":
            self._tallies = message["tallies"]
        elif message["op"] == "drained":
            self._drain_until = 0.0

    def _note_change(self) -> None:
        self._changed = True

    def _send_snapshot(self) -> None:
        if not self._changed or self._front_identity is None:
            return
        self._changed = False
        self._tell_front(
            {
                "op": "workers",
                "generation": self._pool.generation,
                "options": self._pool.options if self._pool.generation else None,
                "workers": [_snapshot(worker) for worker in self._pool.states],
                "tallies": self._tallies,
            }
        )

    def _tell_front(self, message: dict[str, Any]) -> None:
        if self._front_identity is not None:
            self._control.send_multipart([self._front_identity, pack(message)])

    def _announce(self, began: float) -> None:
        if self._is_announced or not any(w.state == "ready" for w in self._pool.states):
            return
        self._is_announced = True
        url = url_of(self._config.host, self._config.port)
        took_s = time.monotonic() - began
        logger.info("serving %s at %s after %.1f s", self._config.script.name, url, took_s)
        manifest = next(w.manifest for w in self._pool.states if w.manifest is not None)
        names = [command["name"] for command in manifest["commands"]]
        logger.info("commands: %s; try: curl %s/meta", ", ".join(names) or "none", url)

    def _is_over(self, now: float) -> bool:
        if not self._stop_signals:
            return False
        if self._drain_until is None:
            logger.info("stopping: %g s for running calls", self._config.graceful_timeout_s)
            self._drain_until = now + self._config.graceful_timeout_s
            self._tell_front({"op": "drain"})
            if self._front_identity is None:
                return True
        return self._stop_signals > 1 or now >= self._drain_until

    def _report_failure(self) -> int:
        self._pool.finish_printing(PRINTED_WITHIN_S)
        for cause in dict.fromkeys(w.error or w.reason for w in self._pool.states):
            print(f"runway-serve: no worker could start: {cause}", file=sys.stderr, flush=True)
        if advice := advice_for(self._config.script.parent):
            print(f"runway-serve: {advice}", file=sys.stderr, flush=True)
        return 1

    def _run_alone(self) -> int:
        """The script asked only for its manifest or a setup: run it as `python script.py`."""
        command, environment = self._config.alone()
        folder = self._config.script.parent
        return subprocess.run(command, env=environment, cwd=folder, check=False).returncode

    def _end(self, listener: socket.socket, context: zmq.Context[Any]) -> None:
        self._front.stop()
        self._pool.stop(timeout_s=2.0)
        listener.close()
        context.destroy(linger=0)
        remove_folder(self._folder)


def _snapshot(worker: WorkerState) -> dict[str, Any]:
    return {
        "name": worker.name,
        "pid": worker.pid,
        "state": worker.state,
        "address": worker.address,
        "generation": worker.generation,
        "manifest": worker.manifest,
        "reason": worker.reason,
        "restarts": worker.restarts,
        "device": {
            "kind": worker.device.kind,
            "uuid": worker.device.uuid,
            "name": worker.device.name,
        },
    }
