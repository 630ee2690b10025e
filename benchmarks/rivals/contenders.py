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
    interpreter: str = sys.executable  # that makes its environment

    def command(self, workload: str, knobs: Mapping[str, Any]) -> list[str]:
        """How it is started; `{port}` is put in later. Installs it first.

        Raises:
            NotInstalledError: it cannot be.
        """
        if self.name == OURS:
            return _our_command(workload, knobs)
        python = environment.python_of(self.folder, self.needs, self.interpreter)
        return [str(python), str(HERE / self.folder / "server.py")]


def _our_command(workload: str, knobs: Mapping[str, Any]) -> list[str]:
    workers = knobs.get("cpu_workers", work.WORKLOADS[workload].devices)
    script = str(HERE / "runway_serve" / "runway_model.py")
    return [
        *(sys.executable, "-m", "runway_serve", script, "--port", "{port}"),
        *("--gpus", "none", "--cpu-workers", str(workers)),
    ]


def _wrap_bento(workload: str, body: Body) -> Any:
    """A batchable API of BentoML takes a list: here of one, as each client has one."""
    batched = work.WORKLOADS[workload].is_batched
    return {name: [value] for name, value in body.items()} if batched else body


def _unwrap_bento(workload: str, answer: Any) -> Body:
    return dict(answer[0] if work.WORKLOADS[workload].is_batched else answer)


def _wrap_tensor(workload: str, body: Body) -> Any:
    """The Open Inference Protocol: https://github.com/kserve/open-inference-protocol."""
    if "image" in body:
        tensor = {"name": "image", "shape": [1, 1], "datatype": "BYTES", "data": [body["image"]]}
    else:
        shape = [1, len(body["x"])]
        tensor = {"name": "x", "shape": shape, "datatype": "FP32", "data": body["x"]}
    return {"inputs": [tensor]}


def _unwrap_tensor(workload: str, answer: Any) -> Body:
    output = answer["outputs"][0]
    return {output["name"]: output["data"][0] if output["name"] == "image" else output["data"]}


def _tensor_path(workload: str, command: str) -> str:
    return f"/v2/models/{command}/infer"


def _torchserve_path(workload: str, command: str) -> str:
    return f"/predictions/{command}"


CONTENDERS: Mapping[str, Contender] = {
    contender.name: contender
    for contender in (
        Contender(OURS, "runway_serve"),
        Contender("mosec", "mosec"),
        Contender("litserve", "litserve"),
        Contender("bentoml", "bentoml", wrap=_wrap_bento, unwrap=_unwrap_bento),
        Contender("torchserve", "torchserve", path=_torchserve_path, needs=("java",)),
        Contender(
            *("pytriton", "pytriton", _tensor_path, _wrap_tensor, _unwrap_tensor),
            # its backend carries a Python 3.11 older than 3.11.7 and fails on a newer standard library
            interpreter="/usr/bin/python3",
        ),
        Contender("ray-serve", "ray_serve"),
        Contender("mlserver", "mlserver", _tensor_path, _wrap_tensor, _unwrap_tensor),
        Contender("flask", "flask_gunicorn"),
    )
}
