"""Base64 in its many forms, image files into arrays, arrays into files, and OpenEXR read back independently."""

import io
import struct
import zlib

import numpy as np
import pybase64
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image, ImageOps
from skimage import data as photos

from runway.data_uri import (
    decode_base64,
    decode_image,
    decode_raw_image,
    encode_image,
    scale_grey16,
)
from runway.exr import encode_exr

PHOTO = photos.astronaut()


def packed(picture, form="PNG", **options):
    buffer = io.BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()


def payload(uri):
    header, _, body = uri.partition(",")
    return header, pybase64.b64decode(body, validate=True)


@given(st.binary(min_size=1))
def test_every_form_of_base64_gives_the_same_bytes(data):
    plain = pybase64.b64encode_as_string(data)
    wrapped = "\r\n".join(plain[i : i + 20] for i in range(0, len(plain), 20)) + "\n"

    for form in (plain, plain.rstrip("="), plain + "\n", wrapped, f"data:image/png;base64,{plain}"):
        assert decode_base64(form) == data


@pytest.mark.parametrize(
    "text", ["", "!!!!", "data:image/png;base64,!!!!", "data:,", "ab*d", "a", "é", "=="]
)
def test_what_is_not_base64_is_refused(text):
    with pytest.raises(ValueError, match=r"not valid base64|no image data"):
        decode_base64(text)


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg_pixels_are_pillows(subsampling, progressive):
    picture = Image.fromarray(PHOTO[:61, :77])
    data = packed(picture, "JPEG", subsampling=subsampling, progressive=progressive)

    expected = np.asarray(Image.open(io.BytesIO(data)))
    np.testing.assert_array_equal(decode_image(data, 3), expected)


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_grey_and_cmyk_jpegs_are_read(mode):
    data = packed(Image.fromarray(PHOTO[:40, :40]).convert(mode), "JPEG")

    expected = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    np.testing.assert_array_equal(decode_image(data, 3), expected)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_exif_orientation_is_undone(orientation, form):
    # The stored picture is the upright one under the inverse turn: Exif 2.3, tag 274.
    upright = np.zeros((16, 32, 3), np.uint8)
    upright[:8, :16] = 255
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = packed(Image.fromarray(np.ascontiguousarray(stored)), form, exif=exif)

    np.testing.assert_allclose(decode_image(data, 3), upright, atol=4)


XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize(
    "told",
    [
        {},
        {"exif": 6},
        {"exif": 1},
        {"xmp": XMP},
        {"icc_profile": b"a profile \xff\xda with Exif\0 in it"},
        {"icc_profile": b"\xff\xda" * 40_000, "exif": 8},
        {"comment": b"Exif\0\0 tiff:Orientation \xff\xda"},
        {"comment": b"\xff\xd9\xff\xda", "exif": 3},
    ],
    ids=str,
)
def test_an_orientation_counts_wherever_it_is_told(told, progressive):
    exif = Image.Exif()
    if "exif" in told:
        exif[0x0112] = told["exif"]
    rng = np.random.default_rng(0)
    picture = Image.fromarray(rng.integers(0, 256, (24, 40, 3), np.uint8))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", progressive=progressive, **{**told, "exif": exif})

    read = decode_image(buffer.getvalue(), 3)

    buffer.seek(0)
    upright = ImageOps.exif_transpose(Image.open(buffer))
    np.testing.assert_array_equal(read, np.asarray(upright.convert("RGB")))


@pytest.mark.parametrize("extra", [b"\xff", b"\xff\xff\xff", b"\xff\x01", b"\xff\xd0"])
def test_a_head_that_is_built_unusually_is_read_like_pillow_reads_it(extra):
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    Image.new("RGB", (24, 40), "red").save(buffer, "JPEG", exif=exif)
    file = buffer.getvalue()[:2] + extra + buffer.getvalue()[2:]
    try:
        expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(file))))
    except OSError:
        with pytest.raises(ValueError, match="not a readable image"):
            decode_image(file, 3)
    else:
        np.testing.assert_array_equal(decode_image(file, 3), expected)


def test_sixteen_bit_grey_keeps_its_ramp():
    ramp = np.linspace(0, 65535, 16).astype("u2").reshape(4, 4)
    data = packed(Image.fromarray(ramp))

    expected = np.round(np.linspace(0, 255, 16)).reshape(4, 4)
    np.testing.assert_array_equal(decode_image(data, 1), expected)
    np.testing.assert_array_equal(decode_image(data, 3)[..., 1], expected)


def test_greys_beyond_sixteen_bits_are_scaled_to_their_own_maximum():
    assert scale_grey16(np.array([[0, 1 << 20, 1 << 21]], np.int32)).tolist() == [[0, 128, 255]]
    assert scale_grey16(np.array([[-5, 65535]], np.int32)).tolist() == [[0, 255]]


def over_white(colour, alpha):
    return [round((part * alpha + 255 * (255 - alpha)) / 255) for part in colour]


@pytest.mark.parametrize("alpha", [0, 127, 255])
def test_alpha_is_composited_on_white_unless_there_is_room_for_it(alpha):
    data = packed(Image.new("RGBA", (2, 2), (200, 0, 100, alpha)))

    np.testing.assert_allclose(
        decode_image(data, 3)[0, 0], over_white((200, 0, 100), alpha), atol=1
    )
    assert decode_image(data, 4)[0, 0].tolist() == [200, 0, 100, alpha]


def test_transparency_of_palettes_grey_and_colour_keys_is_composited_too():
    palette = Image.new("P", (1, 1), 0)
    palette.putpalette([255, 0, 0])

    for data in (
        packed(palette, transparency=0),
        packed(Image.new("LA", (1, 1), (9, 0))),
        packed(Image.new("RGB", (1, 1), (1, 2, 3)), transparency=(1, 2, 3)),
    ):
        assert decode_image(data, 3)[0, 0].tolist() == [255, 255, 255]
        assert decode_image(data, 1)[0, 0] == 255
        assert decode_image(data, 4)[0, 0, 3] == 0
    assert decode_image(packed(palette), 3)[0, 0].tolist() == [255, 0, 0]


@pytest.mark.usefixtures("like_the_first_sdk")
def test_strict_sdk_leaves_all_of_it_to_pillow():
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = packed(Image.fromarray(PHOTO[:20, :40]), "JPEG", exif=exif)
    clear = packed(Image.new("RGBA", (1, 1), (255, 0, 0, 0)))
    deep = packed(Image.fromarray(np.array([[0, 300, 65535]], "u2")))

    assert decode_image(turned, 3).shape == (20, 40, 3)
    assert decode_image(clear, 3)[0, 0].tolist() == [255, 0, 0]
    expected = np.asarray(Image.open(io.BytesIO(deep)).convert("L"))
    np.testing.assert_array_equal(decode_image(deep, 1), expected)


def test_the_declared_size_is_checked_before_anything_is_decoded(monkeypatch):
    header = struct.pack(">IIBBBBB", 20000, 20000, 1, 0, 0, 0, 0)
    chunk = b"IHDR" + header
    bomb = (
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    )
    bomb += struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    kept = Image.MAX_IMAGE_PIXELS

    with pytest.raises(ValueError, match="400000000 pixels, the limit is 100000000"):
        decode_image(bomb, 3)

    assert kept == Image.MAX_IMAGE_PIXELS
    monkeypatch.setenv("RW_MAX_PIXELS", "11")
    with pytest.raises(ValueError, match="12 pixels, the limit is 11"):
        decode_image(packed(Image.new("RGB", (4, 3))), 3)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF"])
def test_truncated_files_are_refused(form):
    data = packed(Image.fromarray(PHOTO[:64, :64]), form)

    with pytest.raises(ValueError, match="not a readable image"):
        decode_image(data[: len(data) // 2], 3)


def test_a_file_of_no_known_format_is_refused_without_an_address_in_memory():
    with pytest.raises(ValueError, match="not a readable image: its format is unknown"):
        decode_image(b"not a picture", 3)


def test_formats_that_start_an_interpreter_are_refused():
    with pytest.raises(ValueError, match="EPS images are not accepted"):
        decode_image(packed(Image.new("RGB", (2, 2)), "EPS"), 3)


@given(
    st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "ICO", "PPM"]),
    st.integers(0, 2000),
    st.binary(min_size=1, max_size=8),
    st.sampled_from([1, 3, 4]),
)
@example("PNG", 0, b"not an image at all", 3)
def test_damaged_files_end_in_an_image_or_a_value_error(form, place, damage, channels):
    data = bytearray(packed(Image.fromarray(PHOTO[:16, :16]), form))
    place %= len(data)
    data[place : place + len(damage)] = damage

    for decode in (lambda b: decode_image(b, channels), decode_raw_image):
        try:
            result = decode(bytes(data))
        except ValueError:
            continue
        assert isinstance(result, (np.ndarray, Image.Image))


def test_jpeg_is_as_near_to_the_picture_as_pillows_default():
    def distance(jpeg: bytes) -> float:
        decoded = np.asarray(Image.open(io.BytesIO(jpeg))).astype(float)
        return float(((decoded - PHOTO) ** 2).mean())

    buffer = io.BytesIO()
    Image.fromarray(PHOTO).save(buffer, "JPEG")

    header, jpeg = payload(encode_image(PHOTO, "JPEG"))

    assert header == "data:image/jpeg;base64"
    assert distance(jpeg) < 1.05 * distance(buffer.getvalue())
    assert len(jpeg) < 1.05 * len(buffer.getvalue())


def test_png_is_exact():
    header, png = payload(encode_image(PHOTO, "PNG"))

    assert header == "data:image/png;base64"
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(png))), PHOTO)


def test_jpeg_drops_alpha():
    rgba = np.dstack([PHOTO[:8, :8], np.zeros((8, 8), np.uint8)])

    assert encode_image(rgba, "JPEG") == encode_image(PHOTO[:8, :8].copy(), "JPEG")


def read_exr(data):
    """Channels of a ZIP or raw scan line OpenEXR file, from the file layout document."""
    magic, version = struct.unpack_from("<II", data)
    assert (magic, version) == (20000630, 2)
    place, attributes = 8, {}
    while data[place]:
        name, kind = data[place:].split(b"\0", 2)[:2]
        place += len(name) + len(kind) + 2
        (size,) = struct.unpack_from("<i", data, place)
        attributes[name.decode()] = data[place + 4 : place + 4 + size]
        place += 4 + size
    place += 1
    names, channels = [], attributes["channels"]
    while channels != b"\0":
        name, _, rest = channels.partition(b"\0")
        assert struct.unpack_from("<i", rest)[0] == 2
        names.append(name.decode())
        channels = rest[16:]
    left, top, right, bottom = struct.unpack("<4i", attributes["dataWindow"])
    width, height = right - left + 1, bottom - top + 1
    planes = np.zeros((height, len(names), width), "<f4")
    for offset in struct.unpack_from(f"<{-(-height // 16)}Q", data, place):
        first, size = struct.unpack_from("<ii", data, offset)
        rows = planes[first : first + 16]
        body = data[offset + 8 : offset + 8 + size]
        if size < rows.nbytes:
            delta = np.frombuffer(zlib.decompress(body), np.uint8).astype(np.int64)
            delta[1:] -= 128
            parted = (np.cumsum(delta) % 256).astype(np.uint8)
            octets = np.empty_like(parted)
            half = (len(parted) + 1) // 2
            octets[0::2], octets[1::2] = parted[:half], parted[half:]
            body = octets.tobytes()
        rows[...] = np.frombuffer(body, "<f4").reshape(rows.shape)
    return {name: planes[:, index] for index, name in enumerate(names)}


@pytest.mark.parametrize("shape", [(1, 1), (16, 3), (33, 7, 3), (17, 5, 4), (5, 4, 2), (3, 2, 1)])
def test_exr_reads_back_to_the_bit(shape):
    pixels = np.random.default_rng(0).normal(size=shape).astype(np.float32)

    channels = read_exr(encode_exr(pixels))

    names = {1: "Y", 2: "YA", 3: "RGB", 4: "RGBA"}[shape[2] if len(shape) == 3 else 1]
    assert list(channels) == sorted(names)
    for index, name in enumerate(names):
        np.testing.assert_array_equal(channels[name], np.atleast_3d(pixels)[..., index])


def test_exr_is_smaller_than_raw_where_it_can_be():
    assert len(encode_exr(np.zeros((64, 64, 3)))) < 2000


def test_exr_is_read_by_the_openexr_library(tmp_path):
    openexr = pytest.importorskip("OpenEXR", reason="the OpenEXR package is not installed")
    pixels = np.random.default_rng(0).random((33, 20, 3), np.float32)
    (tmp_path / "a.exr").write_bytes(encode_exr(pixels))

    with openexr.File(str(tmp_path / "a.exr"), separate_channels=True) as read:
        for index, name in enumerate("RGB"):
            np.testing.assert_array_equal(read.channels()[name].pixels, pixels[..., index])


def test_exr_values_are_divided_by_255():
    header, exr = payload(encode_image(np.full((2, 2, 3), 51, np.float32), "EXR"))

    assert header == "data:image/exr;base64"
    np.testing.assert_array_equal(read_exr(exr)["G"], np.float32(51) / np.float32(255))
