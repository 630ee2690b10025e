"""Any bytes, any JSON, any image file: 200 or a JSON 4xx that names the field, and the same two workers all along."""

from __future__ import annotations

import base64
import io
import json
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.serving import Served
from tests.trust.kinds import case, error_of, raw

FIELDS = {"half": "x", "say": "t", "look": "i", "nap": "s", "odd": "what", "read": "f"}
many = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()), max_size=30),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=12,
)


def check(server: Served, command: str, body: bytes, **headers: str) -> None:
    answer = raw(server, f"/{command}", body, **headers)
    strict = json.loads(answer.content, parse_constant=refuse)
    assert isinstance(strict, dict)
    if answer.status_code == 200:
        return
    said = error_of(answer, answer.status_code)
    assert 400 <= answer.status_code < 500, (answer.status_code, said)
    is_about_body = "body" in said
    assert is_about_body or f"{FIELDS[command]}." in said, said


def refuse(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


@case(29)
@many
@given(body=st.binary(max_size=200))
def test_any_bytes(two: Served, pids, body: bytes):
    check(two, "half", body)


@case(29)
@many
@given(body=st.binary(max_size=200), shift=st.integers(0, 40))
def test_any_bytes_as_gzip(two: Served, pids, body: bytes, shift: int):
    packed = zlib.compress(body, wbits=31)
    for sent in (packed, packed[:shift], packed[shift:], body):
        check(two, "half", sent, Content_Encoding="gzip")


@case(29, 30)
@many
@given(command=st.sampled_from(["half", "say", "look", "read"]), value=json_values)
def test_any_json(two: Served, pids, command: str, value: object):
    text = json.dumps({FIELDS[command]: value})
    if command == "half" and value == 66:
        return  # the one that the model raises for
    if not (command == "read" and value is None):  # a file's documented default; the model fails
        check(two, command, text.encode())
    if not (command == "read" and isinstance(value, dict)):
        check(two, command, json.dumps(value).encode())


@case(30)
@many
@given(text=st.text(max_size=20))
def test_any_text_comes_back(two: Served, pids, text: str):
    for ascii_only in (True, False):
        body = json.dumps({"t": text}, ensure_ascii=ascii_only).encode()
        assert raw(two, "/say", body).json() == {"t": text, "n": len(text)}


@case(13, 29)
@many
@given(x=st.floats(0, 100).filter(lambda x: x != 66))
def test_any_number_within_the_limits_is_computed(two: Served, pids, x: float):
    assert two.post("half", {"x": x}).json() == {"y": x / 2}


KINDS = {
    "PNG": ["1", "L", "LA", "I;16", "P", "RGB", "RGBA"],
    "JPEG": ["L", "RGB", "CMYK"],
    "GIF": ["1", "L", "P", "RGB"],
    "BMP": ["1", "L", "P", "RGB"],
    "TIFF": ["1", "L", "LA", "I", "F", "I;16", "P", "RGB", "RGBA", "CMYK", "LAB", "YCbCr"],
    "WEBP": ["L", "RGB", "RGBA"],
    "PPM": ["1", "L", "RGB"],
    "TGA": ["L", "LA", "P", "RGB", "RGBA"],
    "PCX": ["1", "L", "P", "RGB"],
    "JPEG2000": ["L", "LA", "RGB", "RGBA"],
}
modes = st.sampled_from([(kind, mode) for kind, names in KINDS.items() for mode in names])


def made(kind: str, mode: str, width: int, height: int, orientation: int, seed: int) -> bytes:
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    picture = Image.fromarray(noise)
    if mode in ("I", "F", "I;16"):
        picture = picture.convert("L").convert("I" if mode == "I;16" else mode)
        picture = picture.convert(mode)
    elif mode == "LAB":
        picture = Image.fromarray(noise, "RGB").convert("RGB")
        picture = Image.frombytes("LAB", picture.size, picture.tobytes())
    else:
        picture = picture.convert(mode)
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    picture.save(
        buffer, kind, **({"exif": exif} if kind in ("JPEG", "PNG", "WEBP", "TIFF") else {})
    )
    return buffer.getvalue()


@case(24, 25, 26, 27)
@many
@given(
    kind_mode=modes,
    width=st.integers(1, 40),
    height=st.integers(1, 40),
    orientation=st.integers(0, 9),
    seed=st.integers(0, 99),
)
def test_any_whole_image(two: Served, pids, kind_mode, width, height, orientation, seed):
    kind, mode = kind_mode
    data = made(kind, mode, width, height, orientation, seed)

    answer = two.post("look", {"i": base64.b64encode(data).decode()})

    assert answer.status_code == 200, answer.text
    shape = answer.json()["r"]["shape"]
    is_turned = orientation in (5, 6, 7, 8) and kind in ("JPEG", "PNG", "WEBP", "TIFF")
    assert shape == ([width, height, 3] if is_turned else [height, width, 3])


@case(27)
@many
@given(
    kind_mode=modes,
    cut=st.floats(0, 1),
    hits=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=6),
    seed=st.integers(0, 99),
)
def test_any_damaged_image(two: Served, pids, kind_mode, cut, hits, seed):
    data = bytearray(made(*kind_mode, 24, 16, 6, seed))
    for place, byte in hits:
        data[min(len(data) - 1, int(place * len(data)))] = byte
    del data[int(cut * len(data)) :]

    check(two, "look", json.dumps({"i": base64.b64encode(bytes(data)).decode()}).encode())


@pytest.fixture(autouse=True)
def _alive(two: Served):
    yield
    assert two.get("/healthcheck", timeout=5).json() == {"status": "RUNNING"}
