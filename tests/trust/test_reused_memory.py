"""Answers of a model that uses the memory of one answer again for the next: each is still the right one."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.serving import Served, run_script, serve

SCRIPT = Path(__file__).parents[1] / "scripts" / "reuses.py"
CALLS, CLIENTS = 1500, 24


@pytest.fixture(scope="module", params=["one worker", "two workers", "alone"])
def server(request) -> Iterator[Served]:
    if request.param == "alone":
        with run_script(SCRIPT) as served:
            yield served
    else:
        count = "1" if request.param == "one worker" else "2"
        with serve(SCRIPT, "--gpus", "none", "--cpu-workers", count) as served:
            yield served


def pixels(answer: dict) -> np.ndarray:
    data = base64.b64decode(answer["picture"].partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(data)))


@pytest.mark.parametrize("command", ["fill", "few", "rows", "paint", "together"])
def test_answers_are_not_those_of_later_calls(server, command):
    read = pixels if command == "paint" else lambda answer: np.asarray(answer["numbers"])

    def is_right(n: int) -> bool:
        answer = server.session.post(f"{server.url}/{command}", json={"n": n}, timeout=60)
        assert answer.status_code == 200, answer.text
        return bool((read(answer.json()) == n).all())

    with ThreadPoolExecutor(CLIENTS) as pool:
        right = list(pool.map(is_right, (index % 50 for index in range(CALLS))))

    assert right.count(False) == 0


def test_events_are_not_those_of_later_steps(server):
    steps = 40
    with server.session.post(
        f"{server.url}/count",
        json={"n": steps},
        headers={"Accept": "text/event-stream"},
        timeout=60,
    ) as answer:
        lines = answer.text.splitlines()

    shown = [json.loads(line.partition(": ")[2]) for line in lines if line.startswith("data: {")]
    outputs = [event["outputData"]["numbers"] for event in shown if "outputData" in event]
    assert outputs
    seen = [set(numbers) for numbers in outputs]
    assert all(len(numbers) == 1 for numbers in seen)
    order = [numbers.pop() for numbers in seen]
    assert order == sorted(set(order))
    assert order[-1] == steps - 1
