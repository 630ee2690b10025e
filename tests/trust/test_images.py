"""Image files of every make, whole or not, are turned, scaled, composited or refused; the model sees no surprise."""

from __future__ import annotations

import base64
import io
import time

import numpy as np
import pytest
from PIL import Image

from tests.serving import Served, serve
from tests.trust.kinds import MODEL, ONE, SLACK_S, case, error_of, written

REFUSED_IN_S = 1.0  # "in under 1 s", the one time that the case itself names
FOUR_CHANNELS = """
import numpy as np, runway
from runway.data_types import any as anything, image
@runway.command("look", inputs={"i": image(channels=4)}, outputs={"r": anything})
def look(m, a):
    p = np.asarray(a["i"]); return {"r": {"shape": list(p.shape), "first": p[0, 0].tolist()}}
runway.run()
"""


def uri(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode()


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def look(server: Served, data: bytes) -> dict:
    answer = server.post("look", {"i": uri(data)})
    assert answer.status_code == 200, answer.text
    return answer.json()["r"]


@case(24)
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_picture_is_upright_whatever_its_file_says(two: Served, kind: str, orientation: int):
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = Image.new("RGB", (40, 20), "red")
    data = saved(picture, kind, exif=exif)

    shape = look(two, data)["shape"]

    assert shape == ([40, 20, 3] if orientation >= 5 else [20, 40, 3])


@case(25)
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bit_greys_keep_their_range(two: Served, kind: str):
    ramp = np.linspace(0, 65535, 16).astype("u2").reshape(4, 4)

    found = look(two, saved(Image.fromarray(ramp), kind))

    assert found == {"shape": [4, 4, 3], "first": [0, 0, 0], "max": 255}


@case(26)
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "GIF"])
def test_what_is_transparent_is_white(two: Served, kind: str):
    hidden = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}

    assert look(two, saved(hidden, kind, **options))["first"] == [255, 255, 255]


@case(26)
def test_an_input_with_room_for_alpha_keeps_it(tmp_path):
    hidden = saved(Image.new("RGBA", (8, 8), (255, 0, 0, 0)), "PNG")
    with serve(written(tmp_path, FOUR_CHANNELS), *ONE) as server:
        assert look(server, hidden) == {"shape": [8, 8, 4], "first": [255, 0, 0, 0]}


def whole_png() -> bytes:
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    return saved(Image.fromarray(noise), "PNG")


def huge_png() -> bytes:
    return saved(Image.new("1", (20_000, 20_000)), "PNG")


@case(27)
@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: whole_png()[: len(whole_png()) // 2], "truncated"),
        (lambda: b"this is a text of some length " * 4, "not a readable image"),
        (huge_png, "400000000 pixels"),
        (lambda: b"\x89PNG\r\n\x1a\n", "not a readable image"),
        (lambda: b"GIF89a" + bytes(20), "not a readable image"),
        (lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", ""),
    ],
    ids=["half", "text", "huge", "signature", "gif", "postscript"],
)
def test_a_broken_or_huge_file_is_refused_at_once(two: Served, pids, make, said: str):
    data = make()
    began = time.monotonic()

    error_of(two.post("look", {"i": uri(data)}), 400, "Invalid argument: i.", said)

    assert time.monotonic() - began < REFUSED_IN_S + SLACK_S


@case(27)
def test_the_pixels_that_are_allowed_are_an_option(tmp_path):
    with serve(MODEL, *ONE, "--max-pixels", "100") as server:
        assert look(server, saved(Image.new("L", (10, 10)), "PNG"))["shape"] == [10, 10, 3]
        big = saved(Image.new("L", (10, 11)), "PNG")
        error_of(server.post("look", {"i": uri(big)}), 400, "110 pixels", "100", "--max-pixels")
