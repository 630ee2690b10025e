"""Each example answers alike one call at a time, many side by side, and over the WebSocket that the page uses."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.examples.exhibition import (
    EXAMPLES,
    answer,
    difference,
    exhibit,
    fetch,
    is_picture,
    load_module,
    pixels,
    play_job,
    post,
    to_data_uri,
)
from tests.serving import Served

pytest.importorskip("torch", reason="most examples are PyTorch models")
pytestmark = [pytest.mark.torch, pytest.mark.slow]
FETCHED = {"image_classifier", "sentence_embedding", "text_generator"}
NAMES = [manual.parent.name for manual in sorted(EXAMPLES.glob("*/example.yml"))]
CLIENTS = 8
TIMES = 4  # each call, side by side; the first ones are watched and checked
Call = tuple[str, dict[str, Any]]


@pytest.mark.parametrize("name", NAMES)
def test_answers_do_not_depend_on_the_way(name: str, tmp_path: Path) -> None:
    python = sys.executable
    if name == "face_mesh":
        python = os.environ.get("PYTHON_TENSORFLOW", "")
        if not python:
            pytest.skip("needs TensorFlow: PYTHON_TENSORFLOW names an interpreter that has it")
    if name in FETCHED:
        fetch(name)

    with exhibit(name, python, "--coalesce", "off") as served:
        calls = calls_of_exhibit(name, served, tmp_path)
        alone = [answer(served, command, **inputs) for command, inputs in calls]
        over_page = [last_output(served, command, inputs) for command, inputs in calls]
    with exhibit(name, python) as served, ThreadPoolExecutor(CLIENTS) as pool:
        beside = list(pool.map(lambda call: post(served, *call), calls * TIMES))

    assert calls
    for one, other in zip(alone, over_page, strict=True):
        assert difference(one, other) == []
    for one, other in zip(alone * TIMES, beside, strict=True):
        assert difference(one, other) == []


def calls_of_exhibit(name: str, served: Served, folder: Path) -> list[Call]:
    """The calls that the gallery shows."""
    exhibits = load_module(".", "exhibits")
    show: Callable[..., Any] = getattr(exhibits, name)
    calls: list[Call] = []

    def ask(command: str, **inputs: Any) -> dict[str, Any]:
        sent = {key: to_json(value) for key, value in inputs.items()}
        calls.append((command, sent))
        return {key: from_json(value) for key, value in answer(served, command, **sent).items()}

    show(ask, folder)
    return calls


def to_json(value: Any) -> Any:
    return to_data_uri(value) if isinstance(value, Image.Image) else value


def from_json(value: Any) -> Any:
    if not is_picture(value):
        return value
    return Image.fromarray(pixels(value).astype(np.uint8))


def last_output(served: Served, command: str, inputs: dict[str, Any]) -> dict[str, Any]:
    messages = play_job(served, command, inputs)
    assert messages[-1]["type"] == "succeeded", messages[-1]
    return [message["outputData"] for message in messages if message["type"] == "output"][-1]
