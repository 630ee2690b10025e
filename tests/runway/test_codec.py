"""Values between processes: what travels, how, and what is refused."""

from __future__ import annotations

import gc
import tracemalloc
from contextlib import suppress

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from runway.codec import ALIGNED_BYTES, INLINE_BYTES, Packer, pack_one, unpack

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(
    SCALARS | st.binary(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_values_arrive_as_they_left(value):
    assert unpack(Packer().pack(value)) == value
    assert unpack([pack_one(value)]) == value


@given(
    arrays.arrays(
        st.sampled_from([np.uint8, np.int64, np.float32, np.float64, np.bool_]),
        arrays.array_shapes(min_dims=0, max_dims=4, max_side=6),
    )
)
def test_arrays_keep_type_shape_and_content(array):
    (arrived,) = unpack(Packer(inline_bytes=16).pack([array]))

    assert arrived.dtype == array.dtype
    np.testing.assert_array_equal(arrived, array)


@pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float64, np.complex128])
@pytest.mark.parametrize("shape", [(3,), (1, 2, 3), (1,) * 32])
def test_the_numbers_of_a_small_array_lie_where_processors_like_them(dtype, shape):
    _, arrived, _ = unpack(Packer().pack(["before", np.ones(shape, dtype), "after"]))

    assert arrived.ctypes.data % np.dtype(dtype).alignment == 0
    np.testing.assert_array_equal(arrived, np.ones(shape, dtype))


def test_an_array_that_is_longer_or_shorter_than_it_says_is_an_error():
    (header,) = Packer().pack(np.arange(4, dtype=np.uint8))
    content = header[3:]  # after the head of an extension type of up to 255 bytes

    for changed in (content[:-1], content + b"\0"):
        with pytest.raises(ValueError, match="array of 4 bytes"):
            unpack([b"\xc7" + bytes([len(changed)]) + b"\x01" + changed])


def test_a_large_array_is_a_frame_of_its_own_and_not_copied():
    array = np.zeros((INLINE_BYTES,), np.uint8)

    header, frame = Packer().pack({"a": array})

    assert len(header) < 100
    assert np.shares_memory(np.frombuffer(frame, np.uint8), array)


def test_an_array_in_any_memory_order_travels():
    array = np.arange(60_000).reshape(200, 300)[::2, ::-3].T

    np.testing.assert_array_equal(unpack(Packer().pack(array)), array)


@pytest.mark.parametrize("shape", [(), (1,), (0,), (3, 0), (2, 1, 3)])
@pytest.mark.parametrize("inline_bytes", [0, 1000])
def test_an_array_of_any_shape_keeps_it(shape, inline_bytes: int):
    array = np.ones(shape, np.float32)

    travelled = unpack(Packer(inline_bytes).pack(array))

    assert travelled.shape == shape
    np.testing.assert_array_equal(travelled, array)


def test_a_lone_surrogate_and_a_huge_integer_travel():
    value = {"text": "\ud800", "number": 10**40, "negative": -(10**30)}

    assert unpack(Packer().pack(value)) == value


@pytest.mark.parametrize("value", [object(), np.array([object()]), {1, 2}, print])
def test_what_has_no_plain_form_is_refused(value):
    with pytest.raises(TypeError):
        Packer().pack(value)


@given(st.lists(st.binary(max_size=60), max_size=3))
def test_foreign_frames_are_an_error_of_one_kind_or_a_value(frames):
    with suppress(ValueError):
        unpack(frames)


def test_a_packer_leaves_nothing_for_the_garbage_collector():
    pack_one(1)
    gc.disable()
    tracemalloc.start()
    try:
        for _ in range(20):
            pack_one({"array": np.zeros(3)})
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        gc.enable()

    assert held < 100_000  # one buffer of msgpack's has 256 KiB


@pytest.mark.parametrize("code", [1, 2, 4])
@pytest.mark.parametrize(
    "shape",
    [
        [[1, 2], 2**40],
        ["ab", 2**40],
        [b"ab", 2**40],
        [-1],
        [1.5],
        [True],
        [None],
        [1] * 65,
        "ab",
        3,
    ],
)
def test_what_is_no_shape_is_an_error_and_takes_no_memory(code, shape):
    place = msgpack.packb(("|u1", shape, b"" if code == 1 else 0))
    if code == 1:
        count = -(-(1 + len(place)) // ALIGNED_BYTES)
        padding = bytes(count * ALIGNED_BYTES - 1 - len(place))
        place = bytes([count]) + msgpack.packb(("|u1", shape, padding))
    frames = [msgpack.packb(msgpack.ExtType(code, place)), b"abcd"]

    with pytest.raises(ValueError, match="shape"):
        unpack(frames, lambda offset, size: np.zeros(size, np.uint8))
