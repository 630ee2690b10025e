"""For tests of examples: serve one on two CPU workers, send pictures, take pictures out of answers."""

from __future__ import annotations

import base64
import importlib.util
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
import requests
import websocket
from PIL import Image

from tests.conformance.pictures import from_data_uri
from tests.processes import ServerProcess, clean_env
from tests.serving import READY_S, Served, stopping

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
CALLS_AT_ONCE = 6


@contextmanager
def exhibit(name: str, python: str = sys.executable, *flags: str) -> Iterator[Served]:
    """An example on two CPU workers, ready."""

    def build(port: int) -> ServerProcess:
        words = ["--port", str(port), "--gpus", "none", "--cpu-workers", "2", *flags]
        return ServerProcess(
            [python, "-m", "runway_serve", str(EXAMPLES / name), *words],
            port=port,
        )

    with stopping(build, "/ready", lambda status, _: status == 200, READY_S, 0) as served:
        yield served


def fetch(name: str) -> None:
    """See to it that an example's weights are there; skips the test if they cannot be had."""
    command = [sys.executable, "-m", "runway_serve", "examples", "fetch", name]
    fetched = subprocess.run(
        command, capture_output=True, text=True, env=clean_env(), timeout=110, check=False
    )
    if fetched.returncode:
        pytest.skip(f"weights of {name} cannot be fetched: {fetched.stderr.splitlines()[-1]}")


def load_module(folder: str, name: str) -> ModuleType:
    """A module out of an example's folder."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / folder / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def answer(served: Served, command: str, **inputs: object) -> dict:
    response = served.post(command, inputs)
    assert response.status_code == 200, response.text
    return response.json()


def refusal(served: Served, command: str, **inputs: object) -> str:
    """The message of a 400."""
    response = served.post(command, inputs)
    assert response.status_code == 400, response.text
    return response.text


def is_same_from_both_workers(served: Served, command: str, **inputs: object) -> bool:
    """Whether calls at the same time, which keep both workers busy and share runs, get the answer of a call alone."""
    alone = answer(served, command, **inputs)
    calls = [(command, inputs)] * (2 * CALLS_AT_ONCE)
    with ThreadPoolExecutor(CALLS_AT_ONCE) as pool:
        got = list(pool.map(lambda call: post(served, *call), calls))
    return [found for one in got for found in difference(alone, one)] == []


def post(served: Served, command: str, inputs: dict[str, Any]) -> dict[str, Any]:
    """An answer; from any thread, unlike `answer`."""
    url = f"{served.url}/{command}"
    response = requests.post(url, json=inputs, timeout=60, proxies={"http": ""})
    assert response.status_code == 200, response.text
    return response.json()


def play_job(served: Served, command: str, inputs: dict[str, Any]) -> list[dict[str, Any]]:
    """All messages of a job over a WebSocket, as the page submits it."""
    url = f"ws://127.0.0.1:{served.port}/"
    with closing(websocket.create_connection(url, timeout=60, http_proxy_host=None)) as socket:
        job = {"type": "submit", "id": uuid4().hex, "command": command, "inputData": inputs}
        socket.send(json.dumps(job))
        messages = [json.loads(socket.recv())]
        while messages[-1]["type"] not in ("succeeded", "failed"):
            messages.append(json.loads(socket.recv()))
    return messages


def photograph(name: str) -> Image.Image:
    data = pytest.importorskip("skimage.data", reason="scikit-image carries the photographs")
    return Image.fromarray(getattr(data, name)()).convert("RGB")


def to_data_uri(picture: Image.Image) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def pixels(data_uri: str) -> np.ndarray:
    """Pixels of an answer's picture, as numbers that can be subtracted."""
    return np.asarray(from_data_uri(data_uri)[1]).astype(int)


def is_picture(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("data:image/")


def difference(one: Any, other: Any) -> list[str]:
    """Where two answers differ by more than the last digits of a sum, or a picture's by more than its coding."""
    if is_picture(one) and is_picture(other):
        first, second = pixels(one), pixels(other)
        if first.shape != second.shape:
            return [f"shape {first.shape} and {second.shape}"]
        apart = float(np.abs(first - second).mean())
        return [f"pixels differ by {apart}"] if apart > 0.5 else []
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return [f"{key}: {found}" for key in one for found in difference(one[key], other[key])]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [found for pair in zip(one, other, strict=True) for found in difference(*pair)]
    if isinstance(one, float) and isinstance(other, float):
        return [] if one == pytest.approx(other, rel=1e-3, abs=1e-4) else [f"{one} and {other}"]
    return [] if one == other else [f"{one!r:.100} and {other!r:.100}"]
