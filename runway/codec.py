"""msgpack with arrays: small ones inline, large ones in shared memory or frames of their own. No pickle anywhere."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import msgpack
import numpy as np

from runway.arena import SHARE_BYTES

INLINE_BYTES = 16_384  # an array below this costs less inside the header than as a frame of its own
PLACE_BYTES = 1024  # holds the type, shape and place of any array
ALIGNED_BYTES = 16  # where the numbers of an inline array begin, so that processors like them
MOST_AXES = 64  # what numpy has at most
PLAIN_DTYPE = re.compile(r"[<>|=][A-Za-z][0-9]{1,9}(\[[0-9A-Za-z]{1,8}\])?")
_INLINE, _FRAME, _BIG_INT, _SHARED = 1, 2, 3, 4
# What `ExtType` does after checking its arguments, which costs more than all else here.
_ext_type = tuple.__new__
Buffer = bytes | memoryview
Place = Callable[[np.ndarray[Any, Any]], "int | None"]
LookUp = Callable[[int, int], "np.ndarray[Any, np.dtype[np.uint8]]"]


class Packer:
    """Packs values to frames. Not for use by several threads at once.

    Args:
        inline_bytes: arrays below this size are part of the header.
        place: copies an array into shared memory and gives its offset, None if there is no room.
    """

    def __init__(self, inline_bytes: float = INLINE_BYTES, place: Place | None = None) -> None:
        self._extensions = _Extensions(inline_bytes, place)
        self._packer = msgpack.Packer(
            default=self._extensions.of, use_bin_type=True, unicode_errors="surrogatepass"
        )

    def pack(self, value: Any) -> list[Buffer]:
        """A header frame, followed by the buffers of large arrays."""
        frames: list[Buffer] = []
        self._extensions.frames = frames
        header = self._packer.pack(value)
        return [header, *frames]


class _Extensions:
    """What msgpack asks for values that it has no type for.

    Apart from `Packer`, so that nothing refers to itself: msgpack's buffers are large, and are to go with the packer
    instead of waiting for the garbage collector.
    """

    def __init__(self, inline_bytes: float, place: Place | None) -> None:
        self.frames: list[Buffer] = []
        self._inline_bytes = inline_bytes
        self._place = place
        self._packer = msgpack.Packer(buf_size=PLACE_BYTES)  # the other one is at work meanwhile

    def of(self, value: Any) -> Any:
        """The extension, or a plainer value."""
        if isinstance(value, np.ndarray):
            # ascontiguousarray would make a list of one of a single number
            return self._array(value if value.flags.c_contiguous else np.ascontiguousarray(value))
        if isinstance(value, int):
            return msgpack.ExtType(_BIG_INT, str(value).encode())
        if isinstance(value, np.generic):
            return value.item()
        raise TypeError(f"a {type(value).__name__} cannot travel between processes")

    def _array(self, array: np.ndarray[Any, Any]) -> msgpack.ExtType:
        if array.dtype.hasobject:
            raise TypeError("an array of objects cannot travel between processes")
        if array.nbytes < self._inline_bytes:
            content = _inline_head(array.dtype, array.shape) + array.tobytes()
            return _ext_type(msgpack.ExtType, (_INLINE, content))
        if self._place is not None and array.nbytes >= SHARE_BYTES:
            offset = self._place(array)
            if offset is not None:
                place = (array.dtype.str, array.shape, offset)
                return msgpack.ExtType(_SHARED, self._packer.pack(place))
        self.frames.append(array.reshape(-1).view(np.uint8).data)
        frame = (array.dtype.str, array.shape, len(self.frames))
        return msgpack.ExtType(_FRAME, self._packer.pack(frame))


@lru_cache(maxsize=256)
def _inline_head(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    """What stands before the numbers of an inline array; its first byte tells its length, in `ALIGNED_BYTES`."""
    bare = 1 + len(msgpack.packb((dtype.str, shape, b"")))
    count = -(-bare // ALIGNED_BYTES)
    padding = bytes(count * ALIGNED_BYTES - bare)
    return bytes([count]) + bytes(msgpack.packb((dtype.str, shape, padding)))


@lru_cache(maxsize=256)
def _read_inline_head(head: bytes) -> tuple[np.dtype[Any], tuple[int, ...], int]:
    """Type, shape and bytes of the array behind a head that `_inline_head` wrote."""
    text, sizes, _ = msgpack.unpackb(head[1:])
    dtype, shape = _plain_dtype(text), _plain_shape(sizes)
    return dtype, shape, math.prod(shape) * dtype.itemsize


def pack_one(value: Any) -> bytes:
    """The value as a single frame, arrays included."""
    return bytes(Packer(inline_bytes=float("inf")).pack(value)[0])


def unpack(frames: Sequence[Buffer], look_up: LookUp | None = None) -> Any:
    """The value that `Packer.pack` was given; arrays are views of the frames, or of shared memory.

    Args:
        frames: a header and the buffers after it.
        look_up: bytes of the shared memory at an offset and of a size.

    Raises:
        ValueError: the frames hold something else.
    """

    def extension(code: int, data: bytes) -> Any:
        if code == _BIG_INT:
            return int(data)
        if code == _INLINE:
            start = data[0] * ALIGNED_BYTES
            dtype, shape, size = _read_inline_head(data[:start])
            if len(data) != start + size:
                raise ValueError(f"an array of {size} bytes came as {len(data) - start}")
            return np.ndarray(shape, dtype, data, start)
        text, sizes, content = msgpack.unpackb(data)
        dtype, shape = _plain_dtype(text), _plain_shape(sizes)
        if code == _SHARED:
            if look_up is None:
                raise ValueError("shared memory is not expected here")
            count = math.prod(shape)
            return look_up(content, count * dtype.itemsize).view(dtype).reshape(shape)
        return np.frombuffer(frames[content], dtype).reshape(shape)

    try:
        return msgpack.unpackb(
            frames[0], ext_hook=extension, strict_map_key=False, unicode_errors="surrogatepass"
        )
    except (msgpack.UnpackException, IndexError, TypeError, OverflowError) as error:
        raise ValueError(f"not a message of this protocol: {error!r}") from error


def _plain_shape(sizes: Any) -> tuple[int, ...]:
    """The shape, if it is one; to multiply a list or a text instead of a number would make one of any length."""
    if (
        type(sizes) is not list
        or len(sizes) > MOST_AXES
        or not all(type(size) is int and size >= 0 for size in sizes)
    ):
        raise ValueError("not the shape of an array")
    return tuple(sizes)


@lru_cache(maxsize=64)
def _plain_dtype(text: str) -> np.dtype[Any]:
    """The type whose `str` this is; numpy alone would also read lists of types and Python expressions."""
    if not PLAIN_DTYPE.fullmatch(text):
        raise ValueError(f"not the type of an array: {text[:40]!r}")
    dtype = np.dtype(text)
    if dtype.hasobject:
        raise ValueError("an array of objects is not accepted")
    return dtype
