"""array and vector, and that every portable type survives being rebuilt from its spec."""

import json

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runway.data_types import any as anything
from runway.data_types import (
    array,
    category,
    directory,
    file,
    image,
    image_bounding_box,
    image_landmarks,
    image_point,
    is_portable,
    number,
    segmentation,
    spec_of,
    text,
    type_from_spec,
    vector,
)
from runway.exceptions import InferenceError, InvalidArgumentError, MissingArgumentError
from runway.exchange import dumps


def test_array_names_its_items_and_leaves_the_callers_object_alone():
    item = number(min=0)
    numbers = array(item, description="many", max_length=2)

    assert item.name == "number"
    assert numbers.to_dict() == {
        "type": "array",
        "name": "array",
        "description": "many",
        "itemType": {**number(min=0).to_dict(), "name": "number_array_item"},
        "minLength": 0,
        "maxLength": 2,
    }
    assert numbers.named("xs").item_type is not numbers.item_type


def test_array_needs_an_item_type_that_needs_nothing():
    for make in (array, lambda: array(vector)):
        with pytest.raises(MissingArgumentError):
            make()
    with pytest.raises(TypeError, match="'text'"):
        array("text")


@pytest.mark.parametrize("value", ["abc", 3, None, {"a": 1}, True, [], ["a"] * 4, ["a", 5]])
def test_array_input_refuses_other_kinds_lengths_and_items(value):
    with pytest.raises(InvalidArgumentError):
        array(text, min_length=1, max_length=3).deserialize(value)


def test_array_output_takes_any_iterable_but_a_string():
    assert array(number).serialize(np.array([1, 2.5], np.float32)) == [1.0, 2.5]
    assert array(number).serialize(x for x in (1, 2)) == [1, 2]
    assert array(vector(2)).serialize(np.ones((2, 2))) == [[1.0, 1.0], [1.0, 1.0]]
    assert array(array(text)).serialize([["a", 1], [np.int64(2)]]) == [["a", "1"], ["2"]]
    assert array(anything).serialize([{"a": 1}]) == [{"a": 1}]
    for wrong in ("abc", b"abc", 5, None):
        with pytest.raises(InferenceError, match="output array is not an array"):
            array(text).serialize(wrong)


def test_array_of_any_comes_apart_into_fragments():
    values = array(anything)

    written = orjson.dumps(values.encode(values.prepare([{"a": np.float32(1)}, None])))

    assert json.loads(written) == [{"a": 1.0}, None]


def test_array_of_files_is_not_portable_but_works_in_one_process(tmp_path):
    (tmp_path / "a.txt").write_text("a")
    files = array(file)

    assert not is_portable(files)
    assert is_portable(array(array(image)))
    assert files.deserialize([str(tmp_path / "a.txt")]) == [str(tmp_path / "a.txt")]
    assert files.bulky
    assert not array(text).bulky


def test_vector_needs_a_length_that_fits_its_default():
    assert vector(default=[1, 2.5]).length == 2
    assert vector(default=np.ones(2)).to_dict()["default"] == [1.0, 1.0]
    assert vector(3).to_dict() == {
        "type": "vector",
        "name": "vector",
        "description": None,
        "length": 3,
        "samplingMean": 0,
        "samplingStd": 1,
        "default": None,
    }
    with pytest.raises(MissingArgumentError):
        vector()
    with pytest.raises(InvalidArgumentError, match="default argument does not match expected"):
        vector(2, default=[1])


def test_vector_input_is_an_array_of_its_own():
    decoded = vector(3).decode([1, 2.5, -3])
    restored = vector(3).restore(decoded)
    restored += 1

    assert decoded.tolist() == [1, 2.5, -3]
    assert restored.tolist() == [2, 3.5, -2]


def test_vector_length_is_checked_in_one_dimension_only():
    with pytest.raises(
        InvalidArgumentError, match=r"^Invalid argument: z\. expected 512 numbers, got 2$"
    ):
        vector(512).named("z").deserialize([1, 2])
    assert vector(512).deserialize(4) == np.array(4)
    assert vector(512).deserialize([[1, 2], [3, 4]]).shape == (2, 2)
    assert vector(0).deserialize([1, 2]).shape == (2,)


@pytest.mark.parametrize(
    "value", ["12", None, {}, True, [True, False], [1, "a"], [1, None], [[1], [1, 2]], [[[]], 1]]
)
def test_vector_refuses_what_is_not_numbers(value):
    with pytest.raises(InvalidArgumentError):
        vector(2).deserialize(value)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=8))
def test_vector_gives_back_the_numbers_it_got(values):
    z = vector(len(values))

    assert z.serialize(z.deserialize(values)) == values
    assert z.serialize(values) == values
    assert z.serialize(tuple(values)) == values


@given(
    st.lists(st.floats(), min_size=1, max_size=30) | st.lists(st.integers(-(2**63), 2**63 - 1)),
    st.sampled_from(["plain", "rows", "backwards", "f4", "i2", ">f8", "?"]),
)
def test_an_array_is_written_as_the_list_of_its_numbers(values, kind):
    given_array = np.array(values)
    with np.errstate(all="ignore"):
        made = {
            "plain": given_array,
            "rows": np.stack([given_array, given_array]),
            "backwards": given_array[::-1],
        }.get(kind)
        made = given_array.astype(kind) if made is None else made
    data_type = vector(length=3)

    encoded = data_type.encode(data_type.prepare(made))

    assert dumps({"v": encoded}) == dumps({"v": made.tolist()})
    assert type(data_type.serialize(made)) is list


def test_vector_output_takes_arrays_scalars_and_lists_of_numpy():
    assert vector(1).serialize(np.float32(0.5)) == 0.5
    assert vector(1).serialize(7) == 7
    assert vector(2).serialize([np.float32(1), np.int64(2)]) == [1.0, 2]
    assert vector(2).serialize(np.arange(4)[::2]) == [0, 2]
    for wrong in ("ab", None, [object()], {"a": 1}):
        with pytest.raises(InferenceError, match="output vector is not a vector"):
            vector(2).serialize(wrong)


@pytest.mark.torch
def test_vector_output_takes_tensors_with_gradients():
    torch = pytest.importorskip("torch")

    assert vector(2).serialize(torch.tensor([1.0, 2.0], requires_grad=True)) == [1.0, 2.0]
    assert vector(2).serialize(torch.tensor([1.0, 2.0]).to(torch.bfloat16)) == [1.0, 2.0]


EVERY_PORTABLE_TYPE = [
    anything(description="x"),
    array(array(number(min=0, default=3), max_length=2), min_length=1),
    array(image(channels=4, width=8)),
    category(choices=[1, 0], default=0),
    image(channels=1, default_output_format="jpeg", min_width=3),
    image_point(description="p"),
    image_bounding_box(),
    image_landmarks(2, labels=["a", "b"], connections=[("a", "b")]),
    number(default=0, min=-5, max=5, step=np.float32(0.5)),
    segmentation({"a": 0, "b": 300}, label_to_color={"a": (1, 2, 3)}, default_label="b", height=4),
    text(default="", max_length=4),
    vector(default=(1, 2), sampling_std=2.5),
    vector(3),
]


@pytest.mark.parametrize("original", EVERY_PORTABLE_TYPE, ids=lambda t: t.type)
def test_a_type_rebuilt_from_its_spec_is_equal(original):
    spec = spec_of(original.named("here"))

    twin = type_from_spec(orjson.loads(orjson.dumps(spec)))

    assert twin.name == "here"
    assert twin.to_dict() == original.named("here").to_dict()
    assert spec_of(twin) == spec
    assert hasattr(twin, "default") == hasattr(original, "default")


def test_files_have_a_default_of_none_and_travel_as_opaque_types():
    for original in (file(extension=".h5"), directory()):
        twin = type_from_spec(spec_of(original.named("weights")))

        assert original.default is None
        assert twin.default is None
        assert twin.to_dict() == original.named("weights").to_dict()
