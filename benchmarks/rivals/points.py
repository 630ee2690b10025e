"""What is measured: a workload under a load, with the body every server gets and what the right answer to it is."""

from __future__ import annotations

import base64
import io
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.rivals import work

SMALL_PER_S, LARGE_PER_S = (
    180,
    20,
)  # W7: nine echoes an image, at a rate that every server here can hold
SLOW_S = 5.0
JPEG_TOLERANCE = 4.0  # mean difference of a pixel's values: two codings at quality 75
FLOAT_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Point:
    """A workload at a number of clients, or for W7 at a fixed rate with or without images."""

    workload: str
    clients: int = 0
    has_images: bool = False

    @property
    def is_slow(self) -> bool:
        """Whether answers take so long that a second holds none of them."""
        return self.workload == "W6"

    def seconds(self, wanted: float) -> float:
        """How long to measure it, if `wanted` is enough for the others: W7 for a percentile of 99, W6 for any."""
        if self.workload == "W7":
            return 2 * wanted
        return max(wanted, SLOW_S) if self.is_slow else wanted

    @property
    def label(self) -> str:
        """How the tables call it."""
        if self.workload != "W7":
            return f"{self.workload}, {self.clients} client{'s' * (self.clients > 1)}"
        return f"W7, {SMALL_PER_S}/s" + f" + {LARGE_PER_S} images/s" * self.has_images


POINTS = (
    Point("W1", 1),
    Point("W1", 32),
    Point("W1b", 128),
    Point("W2", 1),
    Point("W2", 32),
    Point("W2", 128),
    Point("W3", 8),
    Point("W3", 32),
    Point("W3s", 32),
    Point("W4", 32),
    Point("W5", 32),
    Point("W5", 128),
    Point("W6", 8),
    Point("W7"),
    Point("W7", has_images=True),
)


@dataclass(frozen=True)
class Example:
    """A request's body, and whether an answer's body is right."""

    body: dict[str, Any]
    is_right: Callable[[dict[str, Any]], bool]


def examples(workload: str, command: str, count: int) -> list[Example]:
    """That many different requests of a command; the first is the one that is timed."""
    if command.startswith("invert"):
        image_format = work.WORKLOADS[workload].image_format
        return [_image_example(image_format, turn % 8) for turn in range(min(count, 8))]
    seeded = random.Random(7)
    vectors = [
        [round(seeded.gauss(0, 1), 6) for _ in range(work.VECTOR_LENGTH)] for _ in range(count)
    ]
    if command == "mlp":
        return [_mlp_example(vector) for vector in vectors]
    return [Example({"x": vector}, _is_close(vector)) for vector in vectors]


def _is_close(expected: list[float]) -> Callable[[dict[str, Any]], bool]:
    def is_right(answer: dict[str, Any]) -> bool:
        given = np.asarray(answer["y"], np.float64)
        return given.shape == (len(expected),) and bool(
            np.allclose(given, expected, atol=FLOAT_TOLERANCE)
        )

    return is_right


def _mlp_example(vector: list[float]) -> Example:
    return Example({"x": vector}, _is_close(work.run_mlp(_reference_network(), [vector])[0]))


@cache
def _reference_network() -> Any:
    return work.make_mlp()


@cache
def _image_example(image_format: str, turn: int) -> Example:
    """The photograph in one of its eight orientations."""
    pixels = _photograph(1024 if image_format == "png" else 512)
    pixels = np.rot90(pixels if turn < 4 else pixels[:, ::-1], turn % 4)
    uri = work.encode_image(np.ascontiguousarray(pixels), image_format)
    expected = work.invert(work.decode_image(uri)).astype(np.float32)
    tolerance = JPEG_TOLERANCE if image_format == "jpeg" else 0.0

    def is_right(answer: dict[str, Any]) -> bool:
        data = base64.b64decode(answer["image"].partition(",")[2])
        with Image.open(io.BytesIO(data)) as image:
            if (image.format or "").lower() != image_format:
                return False
            given = np.asarray(image.convert("RGB"), np.float32)
        return given.shape == expected.shape and float(np.abs(given - expected).mean()) <= tolerance

    return Example({"image": uri}, is_right)


@cache
def _photograph(side: int) -> work.Array:
    """The astronaut, in public domain, that scikit-image carries; enlarged where more than its 512 pixels are asked."""
    from skimage import data  # a tool of developers, slow to import

    image = Image.fromarray(data.astronaut())
    return np.asarray(image.resize((side, side), Image.Resampling.LANCZOS))


def as_json(body: Any) -> bytes:
    """The bytes a client sends."""
    return json.dumps(body).encode()


def command_of(workload: str) -> str:
    """The command of a workload that has one."""
    return work.WORKLOADS[workload].commands[0]
