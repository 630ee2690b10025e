"""Start a model script for a test, as its user would: by `runway-serve` or by `python script.py`.

with serve(SCRIPT, "--gpus", "none", "--cpu-workers", "2") as server:
    assert server.post("echo", {"text": "hi"}).json() == {"text": "hi"}
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from tests.processes import ServerProcess, is_running, start_ready

READY_S = 60.0  # importing a large framework on a busy machine takes its time
ANSWER_S = 30.0


class Served:
    """A running server: where it is, what it logged, a short way to ask it."""

    def __init__(self, server: ServerProcess) -> None:
        self.server = server
        self.url = server.url
        self.port = server.port
        self.session = requests.Session()
        self.session.trust_env = False  # a proxy of the environment must not see loopback requests

    @property
    def process(self) -> subprocess.Popen[bytes]:
        return self.server.process

    def log(self) -> str:
        """Everything it printed so far, both streams."""
        return self.server.log()

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.session.get(f"{self.url}{path}", **{"timeout": ANSWER_S, **options})

    def post(self, command: str, json: object = None, **options: Any) -> requests.Response:
        """Answer of `POST /<command>`; `json` None sends an empty object."""
        body = {} if json is None else json
        url = f"{self.url}/{command}"
        return self.session.post(url, json=body, **{"timeout": ANSWER_S, **options})


@contextmanager
def serve(
    script: str | Path,
    *flags: str,
    env: Mapping[str, str] | None = None,
    cwd: str | Path | None = None,
    exit_code: int | None = 0,
    ready_s: float = READY_S,
) -> Iterator[Served]:
    """`runway-serve script flags...`, ready; SIGTERM at the end.

    Args:
        script: a model script or the folder of one.
        flags: further arguments; `--port` is added before them.
        exit_code: what it must end with after SIGTERM; None lets anything pass.
        ready_s: seconds until `GET /ready` must be 200.

    Raises:
        ServerStartError: it ended or was not ready in time; the text holds its log.
    """

    def build(port: int) -> ServerProcess:
        place = [str(script), "--port", str(port)]
        command = [sys.executable, "-m", "runway_serve", *place, *flags]
        return ServerProcess(command, port=port, env=env, cwd=cwd)

    with stopping(build, "/ready", lambda status, _: status == 200, ready_s, exit_code) as served:
        yield served


@contextmanager
def run_script(
    script: str | Path,
    *arguments: str,
    env: Mapping[str, str] | None = None,
    cwd: str | Path | None = None,
    exit_code: int | None = None,
    ready_s: float = READY_S,
) -> Iterator[Served]:
    """`python script.py arguments...` on a free port, once `GET /healthcheck` says RUNNING."""

    def build(port: int) -> ServerProcess:
        command = [sys.executable, str(script), *arguments]
        place = {"RW_HOST": "127.0.0.1", "RW_PORT": str(port)}
        folder = Path(script).resolve().parent if cwd is None else cwd
        return ServerProcess(command, port=port, env={**place, **(env or {})}, cwd=folder)

    with stopping(build, "/healthcheck", is_running, ready_s, exit_code) as served:
        yield served


@contextmanager
def stopping(
    build: Callable[[int], ServerProcess],
    path: str,
    accept: Callable[[int, bytes], bool],
    ready_s: float,
    exit_code: int | None,
) -> Iterator[Served]:
    """A ready server; stopped at the end, its exit code and its children looked at."""
    server = start_ready(build, path, accept, ready_s)
    served = Served(server)
    try:
        yield served
    except BaseException:
        served.session.close()
        server.stop()
        print(f"--- log of the server\n{server.log()[-8000:]}", file=sys.stderr)
        raise
    served.session.close()
    code = server.stop()
    assert not server.survivors, f"had to be killed: {server.survivors}\n{server.log()[-4000:]}"
    if exit_code is not None:
        assert code == exit_code, f"ended with {code}, not {exit_code}:\n{server.log()[-4000:]}"
