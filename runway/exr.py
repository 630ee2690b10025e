"""Writes OpenEXR images: one part, scan lines, 32-bit float channels, ZIP compression.

Only what an image output needs; reading is left to the client.

Source: "OpenEXR File Layout", openexr.com; ZIP preprocessing as its section on compression describes it.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

MAGIC_AND_VERSION = struct.pack("<II", 20000630, 2)
FLOAT = 2  # pixel type: 32-bit float
ZIP_COMPRESSION = 3
LINES_PER_BLOCK = 16  # fixed by the compression
ZIP_LEVEL = 4  # what the OpenEXR library uses by default
CHANNEL_NAMES = {1: "Y", 2: "YA", 3: "RGB", 4: "RGBA"}


def encode_exr(pixels: Array) -> bytes:
    """An OpenEXR file of (h, w) or (h, w, 1..4) numbers, written as 32-bit floats."""
    planes = np.atleast_3d(pixels).astype("<f4")
    height, width, count = planes.shape
    names = CHANNEL_NAMES[count]
    order = sorted(range(count), key=lambda index: names[index])  # the format wants them by name
    rows = np.ascontiguousarray(planes[:, :, order].transpose(0, 2, 1))
    header = _header(width, height, [names[index] for index in order])
    blocks = [
        struct.pack("<i", first) + _sized(_compressed(rows[first : first + LINES_PER_BLOCK]))
        for first in range(0, height, LINES_PER_BLOCK)
    ]
    offset = len(header) + 8 * len(blocks)
    offsets = []
    for block in blocks:
        offsets.append(offset)
        offset += len(block)
    return b"".join([header, struct.pack(f"<{len(offsets)}Q", *offsets), *blocks])


def _header(width: int, height: int, names: list[str]) -> bytes:
    channels = b"".join(
        name.encode() + b"\0" + struct.pack("<iB3xii", FLOAT, 0, 1, 1) for name in names
    )
    window = struct.pack("<4i", 0, 0, width - 1, height - 1)
    attributes = [
        _attribute("channels", "chlist", channels + b"\0"),
        _attribute("compression", "compression", bytes([ZIP_COMPRESSION])),
        _attribute("dataWindow", "box2i", window),
        _attribute("displayWindow", "box2i", window),
        _attribute("lineOrder", "lineOrder", b"\0"),
        _attribute("pixelAspectRatio", "float", struct.pack("<f", 1)),
        _attribute("screenWindowCenter", "v2f", struct.pack("<2f", 0, 0)),
        _attribute("screenWindowWidth", "float", struct.pack("<f", 1)),
    ]
    return b"".join([MAGIC_AND_VERSION, *attributes, b"\0"])


def _attribute(name: str, kind: str, value: bytes) -> bytes:
    return name.encode() + b"\0" + kind.encode() + b"\0" + _sized(value)


def _sized(data: bytes) -> bytes:
    return struct.pack("<i", len(data)) + data


def _compressed(rows: Array) -> bytes:
    """Zlib data of the rows' bytes: even before odd ones, then differences; raw where that is not smaller."""
    raw = rows.tobytes()
    octets = np.frombuffer(raw, np.uint8)
    parted = np.concatenate([octets[0::2], octets[1::2]])
    deltas = parted.copy()
    deltas[1:] = parted[1:] - parted[:-1] + np.uint8(128)
    packed = zlib.compress(deltas.tobytes(), ZIP_LEVEL)
    return packed if len(packed) < len(raw) else raw
