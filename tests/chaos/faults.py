"""The faults: each does its harm, and returns when it is done; whether the server recovers is looked at elsewhere."""

from __future__ import annotations

import contextlib
import os
import random
import select
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

from tests.chaos.clients import ANSWER_S, ask, vanish
from tests.chaos.ledger import Ledger
from tests.chaos.wire import Wire, connected
from tests.serving import Served

VANISHING, LORISES, STORM, LEAKS = 40, 20, 24, 12
DISK_MB = 32
DISK_FULL_S = 1.5
PAUSE_S = 1.0  # below --command-timeout: who goes on in time is not replaced
REPLACED_S = 20.0
LORIS_S = 10.0  # several times --read-timeout


class Faults:
    """What can go wrong with one server. Each fault may be asked for at any time, also while another lasts.

    Args:
        disk: the server's temporary directory if it is a small disk of its own, else None.
    """

    def __init__(
        self, server: Served, ledger: Ledger, rng: random.Random, name: str, disk: Path | None
    ) -> None:
        self._server = server
        self._ledger = ledger
        self._rng = rng
        self._disk = disk
        self._name = name
        self._count = 0
        self.kinds: dict[str, Callable[[], None]] = {
            "worker killed": self.kill_worker,
            "killed unseen": self.kill_unseen,
            "worker paused": self.pause_worker,
            "worker stopped": self.stop_worker,
            "front killed": self.kill_front,
            "front and master killed": self.kill_front_and_master,
            "clients vanish": self.vanish,
            "slow clients": self.dribble,
            "setup storm": self.storm,
            "model hangs": self.hang,
            "model leaks": self.leak,
        }
        if disk is not None:
            self.kinds["disk full"] = self.fill_disk

    def kill_worker(self) -> None:
        pid = self._worker()
        os.kill(pid, signal.SIGKILL)
        gone(pid)

    def kill_unseen(self) -> None:
        """A worker dies, and another has taken its place before the front, which is paused, can know."""
        before = set(workers(self._server))
        _, front = fronts(self._server)
        os.kill(front, signal.SIGSTOP)
        try:
            os.kill(self._worker(), signal.SIGKILL)
            end = time.monotonic() + REPLACED_S
            while not any(is_serving(pid) for pid in set(workers(self._server)) - before):
                assert time.monotonic() < end, "a killed worker was not replaced"
                time.sleep(0.02)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(front, signal.SIGCONT)

    def pause_worker(self) -> None:
        pid = self._worker()
        os.kill(pid, signal.SIGSTOP)
        time.sleep(PAUSE_S)
        with contextlib.suppress(ProcessLookupError):  # its run may have been near the limit
            os.kill(pid, signal.SIGCONT)

    def stop_worker(self) -> None:
        pid = self._worker()
        os.kill(pid, signal.SIGSTOP)
        gone(pid)

    def kill_front(self) -> None:
        _, front = fronts(self._server)
        os.kill(front, signal.SIGKILL)
        gone(front)

    def kill_front_and_master(self) -> None:
        both = fronts(self._server)
        for pid in both if self._rng.random() < 0.5 else reversed(both):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in both:
            gone(pid)

    def vanish(self) -> None:
        for _ in range(VANISHING):
            vanish(self._ledger, self._server.port, self._next(), self._rng)

    def dribble(self) -> None:
        """Slow clients: all must be told, or hung up on, within the server's own limit."""
        wires = [connected(self._server.port) for _ in range(LORISES)]
        try:
            for index, wire in enumerate(wires):
                wire.sendall(
                    b"POST /add HTTP/1.1\r\n" + b"Content-Length: 90\r\n\r\n{" * (index % 2)
                )
            end = time.monotonic() + LORIS_S
            open_wires = set(wires)
            while open_wires:
                assert time.monotonic() < end, f"{len(open_wires)} slow clients are still served"
                for wire in select.select(list(open_wires), [], [], 0.2)[0]:
                    open_wires.discard(wire)
                for wire in open_wires:
                    with contextlib.suppress(OSError):
                        wire.send(b"a")
        finally:
            for wire in wires:
                wire.close()

    def storm(self) -> None:
        names = [self._next() for _ in range(STORM)]

        def set_up(run: str) -> None:
            wire = Wire(self._server.port, ANSWER_S)
            ask(self._ledger, wire, "setup", {"id": run, "tag": run}, lambda body: body["success"])
            wire.close()

        with ThreadPoolExecutor(STORM) as pool:
            list(pool.map(set_up, names))

    def hang(self) -> None:
        self._ask_alone("hang")

    def leak(self) -> None:
        for _ in range(LEAKS):
            self._ask_alone("leak")

    def fill_disk(self) -> None:
        assert self._disk is not None
        ballast = self._disk / "ballast"
        try:
            fill(ballast)
            self._upload()
            time.sleep(DISK_FULL_S)
            fill(ballast)  # what was removed meanwhile
        finally:
            ballast.unlink()

    def _upload(self) -> None:
        """A file sent ahead, which needs the disk too."""
        run = self._next()
        wire = Wire(self._server.port, ANSWER_S)
        ask(
            self._ledger,
            wire,
            f"ui/files?name={run}",
            {"id": run, "x": "x" * 300_000},
            lambda _: False,
        )
        wire.close()

    def _ask_alone(self, command: str) -> None:
        wire = Wire(self._server.port, ANSWER_S)
        ask(self._ledger, wire, command, {"id": self._next()}, lambda _: True)
        wire.close()

    def _worker(self) -> int:
        end = time.monotonic() + REPLACED_S
        while not (pids := workers(self._server)):
            assert time.monotonic() < end, "no worker lives"
            time.sleep(0.02)
        return self._rng.choice(sorted(pids))

    def _next(self) -> str:
        self._count += 1
        return f"{self._name}-f{self._count}"


def children(server: Served, module: str, parent: int | None = None) -> list[int]:
    found = []
    for child in psutil.Process(parent or server.process.pid).children():
        with contextlib.suppress(psutil.Error):
            if module in child.cmdline():
                found.append(child.pid)
    return found


def workers(server: Served) -> list[int]:
    return children(server, "runway_serve.workers")


def fronts(server: Served) -> tuple[int, int]:
    """Pids of gunicorn's master and of the front worker, once both are there."""
    end = time.monotonic() + REPLACED_S
    while time.monotonic() < end:
        for master in children(server, "runway_serve.front"):
            with contextlib.suppress(psutil.Error):
                if front := psutil.Process(master).children():
                    return master, front[0].pid
        time.sleep(0.02)
    raise AssertionError("no front lives")


def is_serving(pid: int) -> bool:
    """Whether a worker has bound its socket."""
    try:
        sockets = psutil.Process(pid).net_connections("unix")
    except psutil.Error:
        return False
    return any("/worker-" in connection.laddr for connection in sockets)


def gone(pid: int) -> None:
    """Wait until a process has ended."""
    end = time.monotonic() + REPLACED_S
    with contextlib.suppress(psutil.NoSuchProcess):  # it may end between two looks
        while psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < end, f"process {pid} was not replaced in {REPLACED_S:g} s"
            time.sleep(0.02)


def fill(path: Path) -> None:
    """Write to a file until the disk is full."""
    with contextlib.suppress(OSError), path.open("ab", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)


def mount_small_disk(folder: Path) -> str | None:
    """Put a small disk at a folder; the reason if that may not be done here."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "disk full: there is no mount command"
    return None if done.returncode == 0 else f"disk full: {done.stderr.strip()}"


def unmount(folder: Path) -> None:
    subprocess.run(["umount", str(folder)], check=True)


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
