"""Images that are arrays until Pillow needs them: nobody can tell them from others."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from runway.data_types.images import to_pillow

SHAPES = [(5, 7), (5, 7, 3), (5, 7, 4)]


@pytest.fixture(params=SHAPES, ids=str)
def pixels(request):
    return np.random.default_rng(3).integers(0, 256, request.param, np.uint8)


USES = {
    "array": np.array,
    "asarray": np.asarray,
    "size": lambda image: (image.size, image.width, image.height, image.mode, image.getbands()),
    "bytes": lambda image: image.tobytes(),
    "pixel": lambda image: image.getpixel((6, 4)),
    "access": lambda image: image.load()[1, 2],
    "resize": lambda image: np.array(image.resize((3, 3))),
    "convert": lambda image: np.array(image.convert("L")),
    "crop": lambda image: np.array(image.crop((1, 1, 4, 3))),
    "rotate": lambda image: np.array(image.transpose(Image.Transpose.ROTATE_90)),
    "mirror": lambda image: np.array(ImageOps.mirror(image)),
    "split": lambda image: [np.array(band) for band in image.split()],
    "statistics": lambda image: (image.getextrema(), image.histogram()),
    "copy": lambda image: np.array(image.copy()),
    "shallow copy": lambda image: np.array(copy.copy(image)),
    "deep copy": lambda image: np.array(copy.deepcopy(image)),
    "pickle": lambda image: np.array(pickle.loads(pickle.dumps(image))),
    "type after use": lambda image: (image.load(), type(image))[1],
    "shown": lambda image: repr(image).partition(" at ")[0],
    "filter": lambda image: np.array(image.reduce(2)),
    "thumbnail": lambda image: (image.thumbnail((3, 3)), np.array(image))[1],
    "exif": lambda image: (dict(image.getexif()), image.info, image.format),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_every_use_is_that_of_a_plain_image(pixels, use):
    given, plain = to_pillow(pixels), Image.fromarray(pixels)

    first, second = use(given), use(plain)
    again, after = use(given), use(plain)

    np.testing.assert_equal(first, second)
    np.testing.assert_equal(again, after)


def test_equal_to_a_plain_image_from_both_sides(pixels):
    plain = Image.fromarray(pixels)

    assert to_pillow(pixels) == plain
    assert plain == to_pillow(pixels)
    assert to_pillow(pixels) != to_pillow(255 - pixels)


def test_drawing_changes_the_image_and_no_array_taken_before(pixels):
    image = to_pillow(pixels)
    before = np.asarray(image)
    ImageDraw.Draw(image).rectangle((0, 0, 7, 5), fill=0)

    np.testing.assert_array_equal(before, pixels)
    assert not np.asarray(image)[..., :1].any()


def test_an_array_outlives_its_image(pixels):
    array = np.asarray(to_pillow(pixels))

    np.testing.assert_array_equal(array, pixels)
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 0
    assert np.array(to_pillow(pixels)).flags.writeable


def test_shares_no_memory_with_what_it_was_made_of(pixels):
    source = pixels.copy()
    image = to_pillow(source)
    source[:] = 0

    np.testing.assert_array_equal(np.asarray(image), pixels)


def test_saves_and_pastes(pixels, tmp_path):
    image = to_pillow(pixels)
    image.save(tmp_path / "a.png")
    canvas = Image.new(image.mode, (10, 10))
    canvas.paste(to_pillow(pixels), (0, 0))

    np.testing.assert_array_equal(np.array(Image.open(tmp_path / "a.png")), pixels)
    np.testing.assert_array_equal(np.array(canvas)[:5, :7], pixels)


def test_a_closed_image_is_closed(pixels):
    image = to_pillow(pixels)
    image.close()

    with pytest.raises(ValueError, match="closed"):
        image.getpixel((0, 0))


def test_used_as_a_context(pixels):
    with to_pillow(pixels) as image:
        assert image.getpixel((0, 0)) == Image.fromarray(pixels).getpixel((0, 0))
