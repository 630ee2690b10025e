"""Test pictures of the conformance cases: drawn from a description, compared pixel by pixel."""

from __future__ import annotations

import base64
import io
import re
import zlib
from typing import Any

import numpy as np
from PIL import Image

CHANNELS = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}
DATA_URI = re.compile(r"^data:image/([a-z0-9]+);base64,(.*)$", re.DOTALL)


class Mismatch(Exception):
    """An answer differs from what the case expects; the text says where and how."""


def draw(spec: dict[str, Any]) -> np.ndarray:
    """(H, W) or (H, W, C) uint8 pixels of a described picture."""
    if "pixels" in spec:
        return np.array(spec["pixels"], dtype=np.uint8)
    width, height = spec.get("size", [16, 12])
    channels = CHANNELS[spec.get("mode", "RGB")]
    kind = spec.get("pattern", "gradient")
    if kind == "solid":
        colour = np.array(spec["color"], np.uint8).reshape(1, 1, -1)
        pixels = np.zeros((height, width, channels), np.uint8) + colour
    elif kind == "noise":
        random = np.random.RandomState(spec.get("seed", 0))
        pixels = random.randint(0, 256, (height, width, channels)).astype(np.uint8)
    else:
        x = np.linspace(0, 255, width).reshape(1, width).repeat(height, 0)
        y = np.linspace(0, 255, height).reshape(height, 1).repeat(width, 1)
        pixels = np.stack([x, y, 255 - x, 255 - y / 2][:channels], -1).astype(np.uint8)
    return pixels[:, :, 0] if channels == 1 else pixels


def to_data_uri(spec: dict[str, Any]) -> str:
    """A described picture as base64 text, with the data URI prefix unless `prefix` is false."""
    file_format = spec.get("format", "PNG").upper()
    buffer = io.BytesIO()
    Image.fromarray(draw(spec)).save(buffer, format=file_format)
    body = base64.b64encode(buffer.getvalue()).decode()
    if wrap := spec.get("wrap"):
        body = "".join(body[i : i + wrap] + "\n" for i in range(0, len(body), wrap))
    return (
        body if spec.get("prefix") is False else f"data:image/{file_format.lower()};base64,{body}"
    )


def from_data_uri(value: str) -> tuple[str, Image.Image]:
    """Format label and picture of a data URI.

    Raises:
        Mismatch: it is not one, or the picture does not decode.
    """
    found = DATA_URI.match(value)
    if found is None:
        raise Mismatch(f"not an image data URI: {value[:60]!r}")
    try:
        picture = Image.open(io.BytesIO(base64.b64decode(found[2])))
        picture.load()
    except (OSError, ValueError) as err:
        raise Mismatch(f"image does not decode: {err!r}") from err
    return found[1], picture


def check_picture(spec: dict[str, Any], value: Any, where: str) -> None:
    """Compare an answer with a `$image` matcher: format, mode, size, pixels.

    Raises:
        Mismatch: naming the first difference.
    """
    if not isinstance(value, str):
        raise Mismatch(f"{where}: expected an image data URI, got {value!r:.60}")
    label, picture = from_data_uri(value)
    facts = {
        "format": [label, (picture.format or "").lower()],
        "mode": [picture.mode],
        "size": [list(picture.size)],
    }
    for key, seen in facts.items():
        if key in spec and any(one != spec[key] for one in seen):
            raise Mismatch(f"{where}: image {key} {seen}, expected {spec[key]}")
    got = np.array(picture)
    if "raw" in spec:
        raw = zlib.decompress(base64.b64decode(spec["raw"]))
        compare_pixels(np.frombuffer(raw, np.uint8), got.reshape(-1), spec, where)
    if "made_from" in spec:
        compare_pixels(draw(spec["made_from"]), got, spec, where)


def compare_pixels(want: np.ndarray, got: np.ndarray, spec: dict[str, Any], where: str) -> None:
    """Raise Mismatch when pixels differ by more than the case's `mean_tol` and `max_tol`."""
    if want.shape != got.shape:
        raise Mismatch(f"{where}: pixels of shape {got.shape}, expected {want.shape}")
    difference = np.abs(want.astype(int) - got.astype(int))
    mean, most = difference.mean(), difference.max()
    if mean > spec.get("mean_tol", 0) or most > spec.get("max_tol", 0):
        raise Mismatch(f"{where}: pixels differ (mean {mean:.2f}, max {most})")
