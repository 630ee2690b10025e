import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from runway_serve.batching import stack, unstack


def test_arrays_of_one_shape_become_one_array():
    batch = [{"z": np.full(4, n, np.float32)} for n in range(3)]

    stacked = stack(batch, "z")

    assert (stacked.shape, stacked.dtype) == ((3, 4), np.float32)
    assert stacked[:, 0].tolist() == [0, 1, 2]


def test_without_a_key_the_items_themselves_are_stacked():
    assert stack([np.zeros((2, 3)), np.ones((2, 3))]).shape == (2, 2, 3)


def test_ragged_arrays_stay_a_list_of_the_same_objects():
    wide, tall = np.zeros((10, 20, 3)), np.zeros((20, 10, 3))

    stacked = stack([{"i": wide}, {"i": tall}], "i")

    assert isinstance(stacked, list)
    assert stacked[0] is wide
    assert stacked[1] is tall


@pytest.mark.parametrize(
    ("numbers", "dtype"),
    [([1, 2], np.int64), ([1, 2.5], np.float64), ([True, False], np.bool_)],
)
def test_numbers_become_a_vector(numbers, dtype):
    stacked = stack([{"x": x} for x in numbers], "x")

    assert stacked.dtype == dtype
    assert stacked.tolist() == numbers


def test_numpy_numbers_keep_their_precision():
    assert stack([np.float32(1.5), np.float32(2.5)]).dtype == np.float32


def test_images_of_one_size_become_their_pixels():
    images = [Image.new("RGB", (6, 4), (n, 0, 0)) for n in (1, 2)]

    stacked = stack(images)

    assert (stacked.shape, stacked.dtype) == ((2, 4, 6, 3), np.uint8)
    assert stacked[1, 0, 0].tolist() == [2, 0, 0]


@pytest.mark.parametrize(
    "other", [Image.new("RGB", (4, 6)), Image.new("L", (6, 4)), Image.new("RGBA", (6, 4))]
)
def test_images_that_differ_in_size_or_mode_stay_a_list(other):
    images = [Image.new("RGB", (6, 4)), other]

    assert stack(images) == images


def test_palette_indices_are_not_mixed_with_grey_values():
    images = [Image.new("L", (6, 4)), Image.new("P", (6, 4))]

    assert isinstance(stack(images), list)


@pytest.mark.parametrize(
    "items", [[], ["a", "b"], [1, None], [np.zeros(2), 1], [[1, 2], [3, 4]], [{"a": 1}, {"a": 2}]]
)
def test_what_has_no_array_form_stays_a_list(items):
    stacked = stack(items)

    assert isinstance(stacked, list)
    assert all(one is other for one, other in zip(stacked, items, strict=True))


def test_a_missing_input_is_named():
    with pytest.raises(KeyError, match="z"):
        stack([{"z": 1}, {}], "z")


@pytest.mark.torch
def test_torch_tensors_stay_torch_tensors():
    torch = pytest.importorskip("torch")

    stacked = stack([{"z": torch.ones(4)}, {"z": torch.zeros(4)}], "z")

    assert isinstance(stacked, torch.Tensor)
    assert stacked.tolist() == [[1] * 4, [0] * 4]
    assert isinstance(stack([torch.ones(4), torch.ones(5)]), list)
    assert isinstance(stack([torch.ones(4), np.ones(4)]), list)
    assert [item.tolist() for item in unstack(stacked, 2)] == [[1] * 4, [0] * 4]


def test_tensorflow_tensors_go_to_tensorflow(monkeypatch):
    class Tensor:
        shape = (2,)

    tensorflow = SimpleNamespace(
        is_tensor=lambda item: isinstance(item, Tensor), stack=lambda items: ("stacked", items)
    )
    monkeypatch.setitem(sys.modules, "tensorflow", tensorflow)
    items = [Tensor(), Tensor()]

    assert stack(items) == ("stacked", items)


def test_collation_imports_no_framework():
    code = (
        "import sys, numpy as np; from runway_serve.batching import stack;"
        "stack([np.zeros(2)] * 2); stack(['a']); print({'torch', 'tensorflow', 'PIL'} & {*sys.modules})"
    )

    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert out.stdout.strip() == "set()"


def test_an_array_is_split_along_its_first_dimension():
    items = unstack(np.arange(6).reshape(3, 2), 3)

    assert [item.tolist() for item in items] == [[0, 1], [2, 3], [4, 5]]


@pytest.mark.parametrize("value", [["a", "b"], ("a", "b"), (letter for letter in "ab")])
def test_a_sequence_is_split_into_its_items(value):
    assert unstack(value, 2) == ["a", "b"]


@pytest.mark.parametrize("n", [2, 4])
def test_a_wrong_number_of_items_is_refused(n):
    with pytest.raises(ValueError, match=f"expected {n} items, got 3"):
        unstack(np.zeros((3, 2)), n)


@pytest.mark.parametrize("value", [5, None, "ab", {"a": 1}, np.array(1), Image.new("L", (2, 2))])
def test_what_has_no_order_cannot_be_split(value):
    with pytest.raises(TypeError, match=f"cannot split {type(value).__name__} into 2 items"):
        unstack(value, 2)


def test_unstack_undoes_stack():
    items = [np.arange(4) + n for n in range(3)]

    assert all(map(np.array_equal, items, unstack(stack(items), 3)))
