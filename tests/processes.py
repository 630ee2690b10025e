"""Servers under test as child processes: start, wait for readiness, stop, and leave nothing behind.

Used by `tests.serving` and by the conformance runner. Nothing here knows Runway's protocol.
"""

from __future__ import annotations

import http.client
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

POLL_S = 0.05
TERM_WAIT_S = 15.0  # a server may drain for a while before it goes
ORPHAN_WAIT_S = 5.0  # children notice the end of their parent by a closed pipe
PORT_ATTEMPTS = 3  # another process may take the free port before the server does
PROGRAMS = {"python": [sys.executable], "runway-serve": [sys.executable, "-m", "runway_serve"]}


class ServerStartError(Exception):
    """The server ended, or was not ready in time; the text holds the end of its log."""


def free_port() -> int:
    """A TCP port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def command_line(template: str, **names: object) -> list[str]:
    """Words of a command template; `{script}` and the like are filled in word by word.

    A leading `python` or `runway-serve` becomes the interpreter that runs the tests.
    """
    words = shlex.split(template)
    for name, value in names.items():
        words = [word.replace(f"{{{name}}}", str(value)) for word in words]
    return PROGRAMS.get(words[0], words[:1]) + words[1:]


def clean_env(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment without the caller's own Runway settings, plus `extra`."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("RW_") and k != "GPU"}
    return {**env, "PYTHONUNBUFFERED": "1", **(extra or {})}


def http_get(port: int, path: str, timeout_s: float = 5.0) -> tuple[int, bytes]:
    """Status and body of one GET on 127.0.0.1."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def is_running(status: int, body: bytes) -> bool:
    """Whether an answer of `GET /healthcheck` says RUNNING."""
    try:
        return status == 200 and json.loads(body).get("status") == "RUNNING"
    except ValueError:
        return False


def family(pid: int) -> list[psutil.Process]:
    """The descendants of a process and the members of its process group, without itself."""
    try:
        found = set(psutil.Process(pid).children(recursive=True))
    except psutil.NoSuchProcess:
        found = set()
    for process in psutil.process_iter():
        try:
            if process.pid != pid and os.getpgid(process.pid) == pid:
                found.add(process)
        except ProcessLookupError:
            continue
    return list(found)


def describe(process: psutil.Process) -> str:
    """One line that tells which process this is."""
    try:
        return f"{process.pid} {' '.join(process.cmdline())[:120]}"
    except psutil.Error:
        return f"{process.pid} (gone)"


class ServerProcess:
    """One server: its process, its port, its log; in a process group of its own."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        port: int,
        env: Mapping[str, str] | None = None,
        cwd: str | Path | None = None,
    ) -> None:
        self.command = list(command)
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.env = clean_env(env)
        self.cwd = cwd
        self.survivors: list[str] = []
        self._last_log = ""
        self.process: subprocess.Popen[bytes]

    def start(self) -> None:
        """Start the process; readiness is another matter, see `wait_until`."""
        handle, name = tempfile.mkstemp(suffix=".log")
        self._log_path = Path(name)
        with os.fdopen(handle, "wb") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.cwd,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def log(self) -> str:
        """Everything the server printed so far, both streams."""
        if self._log_path.exists():
            self._last_log = self._log_path.read_text("utf8", "replace")
        return self._last_log

    def wait_until(
        self, path: str, accept: Callable[[int, bytes], bool], deadline_s: float
    ) -> None:
        """Poll `GET path` until `accept(status, body)`.

        Raises:
            ServerStartError: the process ended, or `deadline_s` passed.
        """
        end = time.monotonic() + deadline_s
        while True:
            if self.process.poll() is not None:
                code = self.process.returncode
                raise ServerStartError(f"server exited with code {code}:\n{self.log()[-4000:]}")
            try:
                if accept(*http_get(self.port, path)):
                    return
            except (OSError, http.client.HTTPException):
                pass
            if time.monotonic() > end:
                raise ServerStartError(f"not ready after {deadline_s} s:\n{self.log()[-4000:]}")
            time.sleep(POLL_S)

    def stop(self) -> int:
        """Exit code; children that had to be killed are listed in `survivors`."""
        self.survivors += end(self.process)
        self.log()
        self._log_path.unlink(missing_ok=True)
        return self.process.returncode


def end(process: subprocess.Popen[Any]) -> list[str]:
    """End a process that leads its own group, and whatever it started.

    SIGTERM goes to the process alone, as a container engine sends it; its children must then go by
    themselves.

    Returns:
        Descriptions of the processes that had to be killed.
    """
    children = family(process.pid)
    survivors = []
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(TERM_WAIT_S)
    except subprocess.TimeoutExpired:
        survivors.append(describe(psutil.Process(process.pid)))
        process.kill()
        process.wait()
    _, alive = psutil.wait_procs({*children, *family(process.pid)}, timeout=ORPHAN_WAIT_S)
    for child in alive:
        survivors.append(describe(child))
        child.kill()
    psutil.wait_procs(alive, timeout=ORPHAN_WAIT_S)
    return survivors


def start_ready(
    build: Callable[[int], ServerProcess],
    path: str,
    accept: Callable[[int, bytes], bool],
    deadline_s: float,
) -> ServerProcess:
    """A server that `build` made for a free port, once `GET path` is accepted.

    Raises:
        ServerStartError: it ended or was not ready in time; nothing of it is left.
    """
    for attempt in range(1, PORT_ATTEMPTS + 1):
        server = build(free_port())
        server.start()
        try:
            server.wait_until(path, accept, deadline_s)
            return server
        except BaseException as err:
            server.stop()
            if attempt == PORT_ATTEMPTS or not is_port_taken(err):
                raise
    raise AssertionError("the last attempt returns or raises")


def is_port_taken(err: BaseException) -> bool:
    return isinstance(err, ServerStartError) and "in use" in str(err)
