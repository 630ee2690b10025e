"""NumPy arrays as tensors: what ONNX Runtime and TensorFlow 1 are given and give back."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from runway_serve.batching.coalesce.tolerances import TOLERANCES

NUMBERS = "biufc"  # kinds of dtype: texts and objects are left alone
PLAIN_BYTES = 1 << 12  # larger arrays that are the same for all items are compared by a digest


class NumpyTensors:
    """Arrays of numbers, as coalescing sees them."""

    def is_tensor(self, leaf: Any) -> bool:
        """Plain arrays; a subclass may have its own idea of joining."""
        return type(leaf) is np.ndarray and leaf.dtype.kind in NUMBERS

    def is_constant(self, leaf: Any) -> bool:
        """NumPy's own scalars and types."""
        return isinstance(leaf, (np.generic, np.dtype))

    def describe(self, tensor: Any) -> Hashable:
        """Shape and type."""
        return tuple(tensor.shape), str(tensor.dtype)

    def value(self, tensor: Any) -> Hashable:
        """The bytes, or a digest of many."""
        content = tensor.tobytes()
        return content if len(content) <= PLAIN_BYTES else hashlib.blake2b(content).digest()

    def join(self, tensors: Sequence[Any], dimension: int) -> Any:
        """Their values one after the other."""
        return np.concatenate(tensors, axis=dimension)

    def split(self, tensor: Any, count: int, dimension: int) -> list[Any]:
        """Copies: a view would keep the whole batch in memory, and writing into one would be seen by all."""
        if tensor.shape[dimension] % count:
            raise ValueError(f"{tensor.shape[dimension]} rows for {count} items")
        return [part.copy() for part in np.split(tensor, count, axis=dimension)]

    def own(self, tensor: Any) -> Any:
        """A copy."""
        return tensor.copy()

    def altered(self, tensor: Any, dimension: int) -> Any | None:
        """The values of each item in reverse order, so that none is out of range; if all are equal, halved."""
        if tensor.dtype.kind == "b":
            return None
        turned = np.flip(tensor, tuple(at for at in range(tensor.ndim) if at != dimension))
        if not self.is_same(turned, tensor):
            return np.ascontiguousarray(turned)
        if tensor.dtype.kind not in "fc":
            return None
        half = tensor.dtype.type(0.5)
        halved = tensor * half
        return halved + half if self.is_same(halved, tensor) else halved

    def difference(self, value: Any, reference: Any, strictness: float = 1.0) -> str | None:
        """None within `TOLERANCES`; integers and booleans must be equal."""
        if value.dtype != reference.dtype or value.shape != reference.shape:
            return f"{value.dtype} {value.shape}, alone {reference.dtype} {reference.shape}"
        if self.is_same(value, reference):
            return None
        name = str(reference.dtype)
        if name not in TOLERANCES:
            return f"{name} values differ"
        finite = np.isfinite(reference)
        ends = (value[~finite], reference[~finite])
        if not np.array_equal(finite, np.isfinite(value)) or not self.is_same(*ends):
            return "infinite or undefined in other places"
        wide = np.complex128 if reference.dtype.kind == "c" else np.float64
        known = reference[finite].astype(wide)
        scale = float(np.abs(known).max())
        apart = float(np.abs(value[finite].astype(wide) - known).max())
        if apart <= TOLERANCES[name] / strictness * scale:
            return None
        return f"{apart:.3g} where the largest value is {scale:.3g}"

    def is_same(self, one: Any, other: Any) -> bool:
        """Equal to the bit."""
        if one.shape != other.shape or one.dtype != other.dtype:
            return False
        return bool(np.array_equal(one, other, equal_nan=one.dtype.kind in "fc"))

    def is_out_of_memory(self, error: Exception) -> bool:
        """A device or a host that is full."""
        text = str(error).lower()
        full = ("out of memory", "failed to allocate", "bad_alloc", "oom when allocating")
        return isinstance(error, MemoryError) or any(words in text for words in full)

    def wait(self) -> None:
        """What gives arrays has done its work when it gives them."""
