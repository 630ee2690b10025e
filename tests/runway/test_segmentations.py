"""Label maps in and out."""

import io

import numpy as np
import pybase64
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from skimage import data as photos

from runway.data_types import get_color_palette, segmentation
from runway.exceptions import InvalidArgumentError, MissingArgumentError

IDS = {"void": 0, "sky": 7, "road": 30}
COLOURS = {"void": (0, 0, 0), "sky": [90, 200, 250], "road": [128, 64, 128]}


def street(**options):
    return segmentation(label_to_id=IDS, label_to_color=COLOURS, **options).named("map")


def as_uri(picture):
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return "data:image/png;base64," + pybase64.b64encode_as_string(buffer.getvalue())


def ids_of(data_type, pixels, **options):
    picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(np.array(pixels, "u1"))
    restored = data_type.deserialize(as_uri(picture))
    assert restored.mode == "L"
    return np.asarray(restored).tolist()


def painted(data_type, value):
    uri = data_type.serialize(value, "JPEG")
    picture = Image.open(io.BytesIO(pybase64.b64decode(uri.partition("base64,")[2])))
    assert (picture.format, picture.mode) == ("PNG", "RGB")
    return np.asarray(picture).tolist()


def test_description_fills_in_colours_and_the_default_label():
    palette = segmentation({"a": 0, "b": 1, "c": 200, "d": 457}, label_to_color={"b": [1, 2, 3]})

    assert palette.to_dict() == {
        "type": "segmentation",
        "name": "segmentation",
        "description": None,
        "labels": ["a", "b", "c", "d"],
        "defaultLabel": "a",
        "labelToId": {"a": 0, "b": 1, "c": 200, "d": 457},
        "labelToColor": {
            "a": [214, 0, 0],
            "b": [1, 2, 3],
            "c": [93, 61, 40],
            "d": get_color_palette()[201],
        },
    }
    assert street(width=6).to_dict()["labelToColor"]["void"] == [0, 0, 0]
    assert street(width=6).to_dict()["width"] == 6


def test_declaration_is_checked():
    with pytest.raises(MissingArgumentError, match="label_to_id"):
        segmentation()
    for wrong in ({}, [1]):
        with pytest.raises(InvalidArgumentError, match="label_to_id argument has invalid type"):
            segmentation(wrong)
    with pytest.raises(InvalidArgumentError, match="default_label b is not in label map"):
        segmentation({"a": 1}, default_label="b")


def test_one_channel_holds_ids_and_unknown_ones_become_the_default_label():
    seg = street(default_label="sky")

    assert ids_of(seg, [[0, 7, 30], [30, 9, 255]]) == [[0, 7, 30], [30, 7, 7]]
    assert ids_of(seg, Image.fromarray(np.array([[0, 30, 900]], "u2"))) == [[0, 30, 7]]
    assert ids_of(seg, Image.fromarray(np.array([[[30, 0]]], "u1"))) == [[30]]
    assert ids_of(segmentation({"off": 0, "on": 1}), Image.new("1", (2, 1), 1)) == [[1, 1]]


def test_colours_are_the_nearest_label_whatever_the_alpha_or_the_packing():
    near = [[[5, 2, 9], [100, 190, 255], [120, 70, 120]]]
    clear = np.dstack([np.array(near, "u1"), np.zeros((1, 3), "u1")])

    assert ids_of(street(), near) == [[0, 7, 30]]
    assert ids_of(street(), clear) == [[0, 7, 30]]
    assert ids_of(street(), Image.fromarray(np.array(near, "u1")).quantize(4)) == [[0, 7, 30]]


def test_the_first_label_wins_a_tie():
    seg = segmentation({"b": 9, "a": 4}, label_to_color={"a": [0, 0, 0], "b": [2, 0, 0]})

    assert ids_of(seg, [[[1, 0, 0]]]) == [[9]]


@given(
    hnp.arrays(np.uint8, (3, 4, 3)),
    st.lists(st.tuples(*[st.integers(0, 255)] * 3), min_size=1, max_size=5),
)
def test_nearest_agrees_with_the_definition(pixels, colours):
    labels = {str(index): index for index in range(len(colours))}
    seg = segmentation(labels, label_to_color=dict(zip(labels, colours, strict=True)))

    distances = ((pixels[:, :, None].astype(int) - np.array(colours)) ** 2).sum(-1)
    assert ids_of(seg, pixels) == distances.argmin(-1).tolist()


def test_a_photo_with_many_labels_agrees_with_the_definition():
    photo = photos.astronaut()[:128, :128]
    seg = segmentation({str(index): index for index in range(100)})

    distances = ((photo[:, :, None].astype(int) - np.array(get_color_palette()[:100])) ** 2).sum(-1)
    assert ids_of(seg, photo) == distances.argmin(-1).tolist()


@pytest.mark.parametrize("value", ["data:image/png;base64,xxxx", True, None, 5, "", [], "aGVsbG8="])
def test_bad_input_has_one_message(value):
    with pytest.raises(InvalidArgumentError) as caught:
        street().deserialize(value)

    assert caught.value.message == (
        "Invalid argument: map. unable to parse expected base64-encoded image"
    )


@pytest.mark.parametrize("dtype", ["u1", "i4", "i8", "u2", "f4", ">i2"])
def test_id_arrays_of_any_type_are_painted(dtype):
    ids = np.array([[0, 99], [7, 30]]).astype(dtype)

    road = [128, 64, 128]
    assert painted(street(default_label="road"), ids) == [[[0, 0, 0], road], [[90, 200, 250], road]]


def test_negative_and_large_ids_are_painted():
    seg = segmentation(
        {"plate": -1, "far": 300}, label_to_color={"plate": [1, 1, 1], "far": [2, 2, 2]}
    )

    assert painted(seg, np.array([[-1, 300, 5]])) == [[[1] * 3, [2] * 3, [1] * 3]]
    assert painted(seg, np.array([[255, 44]], "u1")) == [[[1] * 3, [2] * 3]]


def test_images_and_colours_are_written_as_three_channels():
    colours = [[[1, 2, 3], [4, 5, 6]]]
    rgba = np.dstack([np.array(colours, "u1"), np.zeros((1, 2), "u1")])

    assert painted(street(), Image.fromarray(np.array([[7]], "u1"))) == [[[90, 200, 250]]]
    for value in (rgba, rgba[..., :3], Image.fromarray(rgba), rgba[..., :3].astype(int)):
        assert painted(street(), value) == colours


@pytest.mark.parametrize("value", [[1], "data:image/png;base64,", None, 5])
def test_outputs_that_are_no_images_are_refused(value):
    with pytest.raises(InvalidArgumentError) as caught:
        street().serialize(value)

    assert caught.value.message == "Invalid argument: map. value is not a PIL or numpy image"


def test_input_image_is_writable_and_its_own():
    seg = street()
    decoded = seg.decode(as_uri(Image.fromarray(np.array([[0, 7]], "u1"))))

    seg.restore(decoded).putpixel((0, 0), 30)

    assert decoded.tolist() == [[0, 7]]
    assert decoded.dtype == np.uint8
