"""Images as text: base64 and data URIs, and the codecs of the pictures inside.

Called by the image types in the front process, on bytes that any client may have sent. Decoding ends in an array or in
a ValueError whose message is fit for the client, never in anything else.
"""

from __future__ import annotations

import io
import os
import threading
from typing import Any

import numpy as np
import pybase64
import simplejpeg
from PIL import Image, UnidentifiedImageError

from runway.arena import pixel_buffer
from runway.compat import strict_sdk
from runway.exr import encode_exr

Array = np.ndarray[Any, Any]

MAX_PIXELS = 100_000_000  # 10 000 x 10 000; 400 MB as RGBA
# Astronaut photo of scikit-image, 512 x 512, two cores: level 1 20 ms and 455 KiB, 3 28 ms and 448 KiB,
# 6 (Pillow's default) 77 ms and 414 KiB.
PNG_COMPRESS_LEVEL = 1
JPEG_QUALITY = 75  # Pillow's default, chroma halved as there
REFUSED_FORMATS = frozenset({"EPS"})  # Pillow hands them to Ghostscript, an interpreter
EXIF_ORIENTATION = 0x0112
ORIENTATION_MARKS = (b"Exif\0", b"tiff:Orientation")  # where Pillow looks for one
START_OF_SCAN, APP1 = 0xDA, 0xE1
SEGMENTS = frozenset(
    {*range(0xC0, 0xD0), *range(0xDA, 0xFF)}
)  # markers that are followed by a length
# Source: Exif 2.3, tag 274: where row 0 and column 0 of the stored pixels belong in the picture.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
MODES = {1: "L", 3: "RGB", 4: "RGBA"}
ALPHA_MODES = frozenset({"RGBA", "LA", "PA", "RGBa", "La"})
GREY16_MODES = frozenset({"I;16", "I;16L", "I;16B", "I;16N"})
GREY16_MAX = 65535

_pillow_limit = threading.Lock()


def decode_base64(text: str) -> bytes:
    """Bytes of base64 text, with or without `data:...,` in front, line breaks and padding.

    Raises:
        ValueError: it is something else, or empty.
    """
    body = text.partition(",")[2] if text.startswith("data:") else text
    try:
        data = pybase64.b64decode(body, validate=True)
    except ValueError:
        compact = "".join(body.split()).rstrip("=")
        padded = compact + "=" * (-len(compact) % 4)
        try:
            data = pybase64.b64decode(padded, validate=True)
        except ValueError as error:
            raise ValueError("not valid base64") from error
    if not data:
        raise ValueError("no image data")
    return data


def encode_data_uri(subtype: str, data: bytes) -> str:
    """`data:image/<subtype>;base64,...`."""
    return f"data:image/{subtype};base64,{pybase64.b64encode_as_string(data)}"


def decode_image(data: bytes, channels: int) -> Array:
    """Pixels of an image file of any format that Pillow reads.

    Turned upright by its EXIF orientation; alpha composited on white if `channels` leaves no room for it; 16-bit greys
    scaled to 8 bits (`strict_sdk`: none of these).

    Returns:
        uint8: (h, w) for 1 channel, else (h, w, channels).

    Raises:
        ValueError: not an image, truncated, or larger than `RW_MAX_PIXELS`.
    """
    try:
        pixels = _decode_plain_jpeg(data) if channels == 3 else None
        if pixels is None:
            image = _open(data)
            image.load()
            pixels = np.asarray(_to_channels(_upright(image), channels))
    except _Refused:
        raise
    except Exception as error:  # Pillow's plugins raise anything on hostile bytes
        raise ValueError(f"not a readable image: {_reason(error)}") from error
    return pixels


def decode_raw_image(data: bytes) -> Image.Image:
    """A loaded image in its own mode, turned upright, for whoever gives the bands a meaning of its own.

    Raises:
        ValueError: as `decode_image`.
    """
    try:
        image = _open(data)
        image.load()
        return _upright(image)
    except _Refused:
        raise
    except Exception as error:  # Pillow's plugins raise anything on hostile bytes
        raise ValueError(f"not a readable image: {_reason(error)}") from error


def encode_image(pixels: Array, output_format: str) -> str:
    """Data URI of uint8 pixels as PNG or JPEG, or of float32 pixels (0..255) as EXR (0..1).

    JPEG has no room for alpha and drops it. Pillow's default JPEG quality.
    """
    if output_format == "EXR":
        return encode_data_uri("exr", encode_exr(pixels / np.float32(255)))
    if output_format == "JPEG":
        return encode_data_uri("jpeg", _encode_jpeg(pixels))
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=PNG_COMPRESS_LEVEL)
    return encode_data_uri(output_format.lower(), buffer.getvalue())


def _encode_jpeg(pixels: Array) -> bytes:
    """A JPEG file of L or RGB(A) pixels; simplejpeg, as Pillow holds the interpreter lock while it encodes."""
    if pixels.ndim == 2:
        grey = np.ascontiguousarray(pixels[..., None])
        return bytes(simplejpeg.encode_jpeg(grey, JPEG_QUALITY, "GRAY", "Gray", fastdct=False))
    opaque = np.ascontiguousarray(pixels[..., :3])
    return bytes(simplejpeg.encode_jpeg(opaque, JPEG_QUALITY, "RGB", "420", fastdct=False))


def scale_grey16(pixels: Array) -> Array:
    """(h, w) uint8 of 16-bit greys, rounded; a larger maximum than 65535 becomes 255 instead.

    Source: PNG specification, "Sample depth rescaling", linear.
    """
    top = max(GREY16_MAX, int(pixels.max(initial=0)))
    clipped = np.clip(pixels, 0, top).astype(np.int64)
    return ((clipped * 255 + top // 2) // top).astype(np.uint8)


class _Refused(ValueError):
    """An image we decline by rule, not one that Pillow fails on."""


def _reason(error: Exception) -> str:
    """What is wrong, without the buffer's address in memory that Pillow names."""
    return "its format is unknown" if isinstance(error, UnidentifiedImageError) else str(error)


def _open(data: bytes) -> Image.Image:
    """Lazy image whose declared size is within the limit."""
    with (
        _pillow_limit
    ):  # Pillow's own limit hides the size and is a global; ours is checked right after
        saved, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            image = Image.open(io.BytesIO(data))
        finally:
            Image.MAX_IMAGE_PIXELS = saved
    _check_size(image.width, image.height)
    if image.format in REFUSED_FORMATS:
        raise _Refused(f"{image.format} images are not accepted")
    return image


def _decode_plain_jpeg(data: bytes) -> Array | None:
    """Pixels by simplejpeg where they are Pillow's to the bit, else None: 8-bit YCbCr, upright, undamaged.

    Pillow reads headers in Python with the interpreter lock held, which is a tenth of the time of a photograph.
    """
    if not data.startswith(b"\xff\xd8\xff") or _may_be_turned(data):
        return None
    try:
        height, width, colorspace, _ = simplejpeg.decode_jpeg_header(data)
        _check_size(width, height)
        if colorspace != "YCbCr":
            return None
        buffer = pixel_buffer(height * width * 3)
        return np.asarray(simplejpeg.decode_jpeg(data, "RGB", buffer=buffer))
    except _Refused:
        raise
    except ValueError:
        return None  # damaged or unusual: Pillow decides


def _may_be_turned(data: bytes) -> bool:
    """Whether a JPEG file has an orientation, or is built so that only Pillow can tell; looks at its head alone.

    Source: ITU-T T.81, B.1.1: marker segments, each with its length, up to the start of the first scan.
    """
    at = len(b"\xff\xd8")
    while len(data) > at + 4 and data[at] == 0xFF and data[at + 1] in SEGMENTS:
        if data[at + 1] == START_OF_SCAN:
            return False
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if data[at + 1] == APP1 and any(data.find(mark, at, end) > 0 for mark in ORIENTATION_MARKS):
            return True
        at = end
    return True


def _check_size(width: int, height: int) -> None:
    limit = int(os.environ.get("RW_MAX_PIXELS", MAX_PIXELS))
    if width * height > limit:
        raise _Refused(f"image has {width * height} pixels, the limit is {limit} (--max-pixels)")


def _upright(image: Image.Image) -> Image.Image:
    turn = None if strict_sdk() else TURNS.get(_orientation(image))
    return image if turn is None else image.transpose(turn)


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(EXIF_ORIENTATION, 1))
    except Exception:  # broken metadata does not make the picture unreadable
        return 1


def _to_channels(image: Image.Image, channels: int) -> Image.Image:
    mode = MODES[channels]
    if strict_sdk():
        return image.convert(mode)
    if image.mode in GREY16_MODES or image.mode == "I":
        image = Image.fromarray(scale_grey16(np.asarray(image)))
    has_alpha = image.mode in ALPHA_MODES or "transparency" in image.info
    if mode != "RGBA" and has_alpha:
        picture = image.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        image = Image.alpha_composite(white, picture)
    return image.convert(mode)
