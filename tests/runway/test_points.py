"""Points, boxes and landmarks, checked both ways."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runway.data_types import image_bounding_box, image_landmarks, image_point
from runway.exceptions import InvalidArgumentError

NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)


def refusal(convert, value):
    with pytest.raises(InvalidArgumentError) as caught:
        convert(value)
    return caught.value.message


@given(st.tuples(NUMBERS, NUMBERS))
def test_a_point_is_any_two_numbers(pair):
    assert image_point().deserialize(list(pair)) == list(pair)
    assert image_point().serialize(pair) == list(pair)


def test_outputs_of_numpy_become_plain_numbers():
    point = image_point().serialize(np.array([0, 0.5], np.float32))
    box = image_bounding_box().serialize((np.float32(0), np.float64(0.25), 4 / 8, 1.0))
    marks = image_landmarks(2).serialize(np.eye(2))

    assert (point, box, marks) == ([0.0, 0.5], [0.0, 0.25, 0.5, 1.0], [[1.0, 0.0], [0.0, 1.0]])
    assert {type(number) for number in [*point, *box, *marks[0]]} == {float}


@pytest.mark.parametrize("convert", ["serialize", "deserialize"])
def test_wrong_lengths_are_refused_both_ways(convert):
    point = getattr(image_point().named("p"), convert)
    box = getattr(image_bounding_box().named("b"), convert)
    marks = getattr(image_landmarks(2).named("m"), convert)

    assert refusal(point, [0, 0.5, 1]) == "Invalid argument: p. Value must be of length 2"
    assert refusal(point, []) == "Invalid argument: p. Value must be of length 2"
    assert refusal(box, [0, 1]) == "Invalid argument: b. Value must be of length 4"
    assert refusal(marks, [[0, 1]]) == (
        "Invalid argument: m. Expected array of length 2, instead got array of length 1"
    )
    assert refusal(marks, [[0, 1], [1, 2, 3]]) == (
        "Invalid argument: m. Expected point at index 1 to have 2 elements, instead got 3 elements"
    )


@pytest.mark.parametrize(
    "value", [5, None, "ab", {}, [None, 1], ["0", "1"], [True, False], [[0, 1]]]
)
def test_inputs_that_are_not_lists_of_numbers_are_refused(value):
    assert refusal(image_point().named("p").deserialize, value).startswith("Invalid argument: p. ")
    assert refusal(image_landmarks(1).named("m").deserialize, [value]).startswith(
        "Invalid argument: m"
    )


def test_a_box_has_its_sides_in_order():
    box = image_bounding_box().named("b")

    assert refusal(box.deserialize, [0.5, 0.2, 0.5, 0.4]).endswith("b[0] must be less than b[2]")
    assert refusal(box.serialize, [0.1, 0.6, 0.3, 0.4]).endswith("b[1] must be less than b[3]")


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"length": 0}, "landmarks length must be greater than 0"),
        ({"length": 2, "labels": ["a"]}, "length of labels list does not match provided length"),
        (
            {"length": 2, "connections": []},
            "connections cannot be defined if labels is undefined",
        ),
        (
            {"length": 2, "labels": ["a", "b"], "connections": [["a", "c"]]},
            "c is not a valid landmark label",
        ),
        (
            {"length": 2, "labels": ["a", "b"], "connections": [["a", "b", "a"]]},
            "Expected connection at index 0 to have 2 elements, instead got 3 elements",
        ),
    ],
)
def test_landmarks_check_their_declaration(kwargs, message):
    with pytest.raises(InvalidArgumentError) as caught:
        image_landmarks(**kwargs)

    assert caught.value.message == f"Invalid argument: image_landmarks. {message}"


def test_landmarks_describe_what_is_set():
    plain = image_landmarks(2).to_dict()
    full = image_landmarks(2, labels=("a", "b"), connections=[("b", "a")]).to_dict()

    assert plain == {
        "type": "image_landmarks",
        "name": "image_landmarks",
        "description": None,
        "length": 2,
    }
    assert full == {**plain, "labels": ["a", "b"], "connections": [["b", "a"]]}
