"""The tour of the workspace: the same input gives the same picture, and the map decides what is where."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.serving import serve

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "workspace_tour"


@pytest.fixture(scope="module")
def server():
    with serve(FOLDER, "--gpus", "none") as served:
        yield served


def picture(uri: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))), np.float32)


def sent(pixels: np.ndarray) -> str:
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    return base64.b64encode(content.getvalue()).decode()


def test_the_map_decides_what_is_where(server):
    ids = np.zeros((64, 96), np.uint8)
    ids[32:] = 3
    answer = server.post("landscape", {"map": sent(ids), "roughness": 0, "mist": False}).json()
    view = picture(answer["picture"])

    assert np.allclose(view[8:24].mean(axis=(0, 1)), [154, 205, 240], atol=3)
    assert np.allclose(view[40:56].mean(axis=(0, 1)), [58, 120, 168], atol=3)


def test_a_point_is_always_the_same_flower(server):
    z = np.random.default_rng(1).normal(size=16).tolist()
    first, again = (server.post("bloom", {"z": z}).json() for _ in range(2))
    other = server.post("bloom", {"z": [-one for one in z]}).json()

    assert first == again
    assert first != other
    assert picture(first["flower"]).shape == (384, 384, 3)


def test_the_detail_of_a_photograph_is_found(server):
    pixels = np.full((100, 100, 3), 30, np.uint8)
    pixels[60:80, 10:30] = np.random.default_rng(0).integers(0, 256, (20, 20, 3))
    pixels[5:15, 85:95] = 255
    found = server.post("look", {"photo": sent(pixels), "detail": 0.5}).json()
    left, top, right, bottom = found["busiest"]

    assert 0 <= left < 0.2 < right
    assert top < bottom
    assert bottom > 0.6
    assert np.allclose(found["brightest"], [0.9, 0.1], atol=0.06)
    assert len(found["columns"]) == 64


def test_an_etching_gets_darker_where_the_photograph_is_dark(server):
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[:, 32:] = 255
    etching = picture(server.post("etch", {"photo": sent(pixels), "steps": 8}).json()["etching"])

    assert etching[:, 4:28].mean() + 40 < etching[:, 36:60].mean()
