"""`example()` of a data type is a value that the type itself accepts."""

from __future__ import annotations

import numpy as np
import pytest

from runway import data_types as types
from runway.data_types import NoExampleError

LABELS = {"sky": 0, "sea": 7, "land": 300}


@pytest.mark.parametrize(
    ("data_type", "example"),
    [
        (types.boolean(default=True), True),
        (types.category(choices=["a", "b"]), "a"),
        (types.category(choices=["a", "b"], default="b"), "b"),
        (types.number(), 0),
        (types.number(min=2, max=4), 2),
        (types.number(min=2, max=4, default=3.5), 3.5),
        (types.text(), "warm-up"),
        (types.text(default="hello"), "hello"),
        (types.text(min_length=10), "warm-upwarm-up"),
        (types.text(max_length=4), "warm"),
        (types.vector(default=[1, 2]), [1, 2]),
        (types.image_point(), [0.5, 0.5]),
        (types.array(types.number), [0]),
        (types.array(types.category(choices=["a"]), min_length=3), ["a"] * 3),
    ],
)
def test_an_example_is_the_default_or_the_plainest_value(data_type, example):
    assert data_type.example() == example
    data_type.deserialize(data_type.example())


@pytest.mark.parametrize("length", [1, 5])
def test_points_lie_in_the_picture(length):
    landmarks = types.image_landmarks(length)

    assert np.shape(landmarks.deserialize(landmarks.example())) == (length, 2)
    box = types.image_bounding_box()
    assert box.deserialize(box.example()) == box.example()


def test_a_vector_is_drawn_as_its_hints_say_and_always_the_same():
    drawn = types.vector(length=4000, sampling_mean=10, sampling_std=2)

    values = np.array(drawn.example())

    assert drawn.deserialize(drawn.example()).shape == (4000,)
    assert abs(values.mean() - 10) < 0.2
    assert abs(values.std() - 2) < 0.2
    assert drawn.example() == drawn.example()


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ({}, (256, 256)),
        ({"width": 64, "height": 32}, (64, 32)),
        ({"min_width": 512, "max_height": 100}, (512, 100)),
        ({"min_width": 10, "max_width": 20}, (20, 256)),
    ],
)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_picture_has_the_declared_size_and_is_not_flat(sizes, expected, channels):
    picture = types.image(channels=channels, **sizes)

    found = picture.deserialize(picture.example())

    assert found.size == expected
    assert len(found.getbands()) == channels
    assert np.ptp(np.asarray(found)) == 255


def test_a_map_shows_the_first_and_the_last_label():
    labelled = types.segmentation(LABELS, width=4, height=2)

    found = labelled.deserialize(labelled.example())

    assert np.asarray(found).tolist() == [[0, 0, 300 % 256, 300 % 256]] * 2


class Own(types.BaseType):
    def __init__(self):
        super().__init__("own")


@pytest.mark.parametrize(
    "data_type",
    [types.any(), types.file(), types.directory(), types.vector(length=0), Own(), types.array(Own)],
)
def test_what_only_the_author_knows_has_no_example(data_type):
    with pytest.raises(NoExampleError):
        data_type.example()
