"""Who takes part: how each server is started, and how a body travels in the protocol it speaks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.rivals import environment, work

HERE = Path(__file__).parent
OURS = "runway-serve"
Body = dict[str, Any]


def _plain_path(workload: str, command: str) -> str:
    return f"/{command}"


def _same(workload: str, body: Any) -> Any:
    return body


@dataclass(frozen=True)
class Contender:
    """A server: its folder here, and the three things in which its protocol may differ from plain JSON."""

    name: str
    folder: str
    path: Callable[[str, str], str] = _plain_path  # of a workload's command
    wrap: Callable[[str, Body], Any] = _same  # what it is sent
    unwrap: Callable[[str, Any], Body] = _same  # what its answer says
    needs: tuple[str, ...] = field(default=())  # programs that pip does not bring

    def command(self, workload: str) -> list[str]:
        """How it is started; `{port}` is put in later. Installs it first.

        Raises:
            NotInstalledError: it cannot be.
        """
        if self.name == OURS:
            return _our_command(workload)
        python = environment.python_of(self.folder, self.needs)
        return [str(python), str(HERE / self.folder / "server.py")]


def _our_command(workload: str) -> list[str]:
    workers = work.WORKLOADS[workload].devices
    script = str(HERE / "runway_serve" / "runway_model.py")
    return [
        *(sys.executable, "-m", "runway_serve", script, "--port", "{port}"),
        *("--gpus", "none", "--cpu-workers", str(workers)),
    ]


CONTENDERS: Mapping[str, Contender] = {
    contender.name: contender
    for contender in (
        Contender(OURS, "runway_serve"),
        Contender("mosec", "mosec"),
    )
}
