"""The image type, both ways and in halves."""

import io

import numpy as np
import pybase64
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from skimage import data as photos

from runway.data_types import image
from runway.exceptions import InvalidArgumentError

PHOTO = photos.astronaut()[:30, :40].copy()


def read(uri):
    header, _, body = uri.partition(",")
    picture = Image.open(io.BytesIO(pybase64.b64decode(body)))
    assert header == f"data:image/{picture.format.lower()};base64"
    return picture


def as_uri(picture):
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return "data:image/png;base64," + pybase64.b64encode_as_string(buffer.getvalue())


def test_declaration_is_checked_and_described():
    assert image(channels=4, min_width=1, height=6).to_dict() == {
        "type": "image",
        "name": "image",
        "description": None,
        "channels": 4,
        "minWidth": 1,
        "height": 6,
        "defaultOutputFormat": "PNG",
    }
    assert image().default_output_format == "JPEG"
    assert image(channels=1).default_output_format == "PNG"
    assert image(default_output_format="png").default_output_format == "PNG"
    for wrong in ({"channels": 2}, {"default_output_format": "EXR"}):
        with pytest.raises(InvalidArgumentError, match=r"^Invalid argument: image\. "):
            image(**wrong)


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB"), (4, "RGBA")])
def test_input_is_a_writable_image_of_its_own_in_the_declared_mode(channels, mode):
    data_type = image(channels=channels)
    pixels = data_type.decode(as_uri(Image.fromarray(PHOTO)))
    before = pixels.copy()

    picture = data_type.restore(pixels)
    picture.paste(0, (0, 0, 20, 20))
    picture.putpixel((25, 25), picture.getpixel((0, 0)))
    picture.load()[30, 25] = picture.getpixel((0, 0))
    picture.thumbnail((10, 10))

    assert picture.mode == mode
    np.testing.assert_array_equal(pixels, before)
    np.testing.assert_array_equal(np.asarray(data_type.restore(pixels)), before)


@given(st.binary(max_size=200) | st.text(max_size=50))
def test_any_input_ends_in_an_image_or_a_400(value):
    text = pybase64.b64encode_as_string(value) if isinstance(value, bytes) else value
    try:
        assert isinstance(image().deserialize(text), Image.Image)
    except InvalidArgumentError as error:
        assert error.message.startswith("Invalid argument: image. ")


@pytest.mark.parametrize("value", [5, None, True, [], {}, "", "data:image/png;base64,aGVsbG8="])
def test_input_that_is_no_image_is_a_400(value):
    with pytest.raises(InvalidArgumentError, match=r"^Invalid argument: picture\. "):
        image().named("picture").deserialize(value)


@pytest.mark.parametrize(
    "value",
    [
        PHOTO,
        PHOTO.astype(np.int64),
        PHOTO.astype(np.float32) + 0.7,
        Image.fromarray(PHOTO),
        np.dstack([PHOTO, np.zeros(PHOTO.shape[:2], np.uint8)]),
        np.asfortranarray(PHOTO),
    ],
)
def test_outputs_are_cast_and_converted_never_scaled(value):
    written = read(image(default_output_format="PNG").serialize(value))

    assert written.mode == "RGB"
    np.testing.assert_array_equal(np.asarray(written), PHOTO)


def test_grey_outputs_fit_any_channels():
    grey = PHOTO[:, :, 0]

    for value in (grey, grey[:, :, None], Image.fromarray(grey), grey.astype(np.float64) + 0.5):
        np.testing.assert_array_equal(np.asarray(read(image(channels=1).serialize(value))), grey)
        rgb = np.asarray(read(image().serialize(value, "png")))
        np.testing.assert_array_equal(rgb, np.repeat(grey[..., None], 3, axis=-1))


def test_sixteen_bit_outputs_keep_their_range():
    deep = Image.fromarray(np.array([[0, 32768, 65535]], "u2"))

    assert np.asarray(read(image(channels=1).serialize(deep))).tolist() == [[0, 128, 255]]


def test_lazy_images_are_loaded_before_the_next_call_overwrites_the_file(tmp_path):
    path = tmp_path / "out.png"
    Image.fromarray(PHOTO).save(path)
    prepared = image().prepare(Image.open(path))
    Image.new("RGB", (1, 1)).save(path)

    np.testing.assert_array_equal(prepared, PHOTO)


@pytest.mark.parametrize("value", [[[1, 2]], "data:image/png;base64,AAAA", None, 5, b""])
def test_outputs_that_are_no_images_are_refused(value):
    for output_format in (None, "EXR"):
        with pytest.raises(InvalidArgumentError) as caught:
            image().named("picture").prepare(value, output_format)
        assert (
            caught.value.message == "Invalid argument: picture. value is not a PIL or numpy image"
        )


@pytest.mark.parametrize("shape", [(3,), (2, 2, 5), (0, 4), (1, 2, 2, 3), ()])
def test_arrays_of_other_shapes_are_refused_with_their_shape(shape):
    with pytest.raises(InvalidArgumentError, match="array of shape"):
        image().prepare(np.zeros(shape))


def test_output_format_chooses_the_codec():
    picture = image()

    assert read(picture.serialize(PHOTO)).format == "JPEG"
    assert read(picture.serialize(PHOTO, "png")).format == "PNG"
    assert read(image(channels=4).serialize(PHOTO, "JPEG")).mode == "RGB"
    assert picture.serialize(PHOTO, "exr").startswith("data:image/exr;base64,")
    for call in (picture.prepare, picture.encode):
        with pytest.raises(
            InvalidArgumentError, match="output format WEBM is not PNG, JPEG or EXR"
        ):
            call(PHOTO, "WEBM")


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 3), (4, 5, 4)])
def test_exr_keeps_floats_and_mode(shape):
    value = np.random.default_rng(0).random(shape) * 300

    prepared = image().prepare(value, "EXR")

    assert prepared.dtype == np.float32
    np.testing.assert_array_equal(prepared, value.astype(np.float32))
    assert image().prepare(Image.fromarray(PHOTO), "EXR").tolist() == PHOTO.tolist()
