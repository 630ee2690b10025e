"""Types of many values: array and vector."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np

from runway.data_types.base import BaseType, NoExampleError, PortableType, as_type, json_kind
from runway.data_types.scalars import check_length
from runway.exceptions import InferenceError, InvalidArgumentError, MissingArgumentError
from runway.jsonable import as_array, is_written_as_list, to_plain

Array = np.ndarray[Any, Any]


class array(PortableType):
    """A list of values of one type, within limits on their number."""

    def __init__(
        self,
        item_type: BaseType | type[BaseType] | None = None,
        description: str | None = None,
        min_length: int = 0,
        max_length: int | None = None,
    ) -> None:
        super().__init__("array", description)
        if item_type is None:
            raise MissingArgumentError("item_type")
        self.item_type = as_type(item_type, "item_type")
        self.item_type.name = f"{self.item_type.type}_array_item"
        self.min_length = min_length
        self.max_length = max_length

    @property
    def bulky(self) -> bool:
        """As the items are."""
        return self.item_type.bulky

    def named(self, name: str) -> array:
        """A copy under another name, with its own copy of the item type."""
        twin = super().named(name)
        twin.item_type = self.item_type.named(self.item_type.name)
        return twin

    def to_dict(self) -> dict[str, Any]:
        """Adds `itemType`, `minLength`, and `maxLength` if set."""
        described = {
            **super().to_dict(),
            "itemType": self.item_type.to_dict(),
            "minLength": self.min_length,
        }
        if self.max_length:
            described["maxLength"] = self.max_length
        return described

    def example(self) -> list[Any]:
        """As few examples of an item as may be, but one."""
        return [self.item_type.example()] * max(1, self.min_length)

    def decode(self, value: Any) -> list[Any]:
        """Each item decoded."""
        return self._checked_items(value, self.item_type.decode)

    def restore(self, value: list[Any]) -> list[Any]:
        """Each item restored."""
        return [self.item_type.restore(item) for item in value]

    def prepare(self, value: Any, output_format: str | None = None) -> list[Any]:
        """Each item of any iterable prepared; the output format is not theirs."""
        return [self.item_type.prepare(item) for item in self._output_items(value)]

    def encode(self, value: list[Any], output_format: str | None = None) -> list[Any]:
        """Each item encoded."""
        return [self.item_type.encode(item) for item in value]

    # Whole conversions of their own: the item may be a script's type with only those two written.

    def serialize(self, value: Any, output_format: str | None = None) -> list[Any]:
        """Each item serialized."""
        return [self.item_type.serialize(item) for item in self._output_items(value)]

    def deserialize(self, value: Any) -> list[Any]:
        """Each item deserialized."""
        return self._checked_items(value, self.item_type.deserialize)

    def spec(self) -> dict[str, Any]:
        """Constructor arguments; the item type is a spec of its own."""
        assert isinstance(self.item_type, PortableType)
        return {
            "item_type": {"type": type(self.item_type).__name__, "kwargs": self.item_type.spec()},
            "description": self.description,
            "min_length": to_plain(self.min_length),
            "max_length": to_plain(self.max_length),
        }

    def _checked_items(self, value: Any, convert: Callable[[Any], Any]) -> list[Any]:
        if not isinstance(value, (list, tuple)):
            raise InvalidArgumentError(self.name, f"expected a list, got {json_kind(value)}")
        check_length(self.name, len(value), self.min_length, self.max_length, "items")
        return [convert(item) for item in value]

    def _output_items(self, value: Any) -> list[Any]:
        if isinstance(value, (str, bytes)):
            raise InferenceError(f"output {self.name} is not an array: got {type(value).__name__}")
        try:
            return list(value)
        except TypeError as error:
            raise InferenceError(f"output {self.name} is not an array: {error}") from error


class vector(PortableType):
    """Numbers as a numpy array, mostly a point of a latent space."""

    spec_fields = ("length", "description", "default", "sampling_mean", "sampling_std")

    def __init__(
        self,
        length: int | None = None,
        description: str | None = None,
        default: Any = None,
        sampling_mean: float = 0,
        sampling_std: float = 1,
    ) -> None:
        super().__init__("vector", description)
        if length is None and default is None:
            raise MissingArgumentError("length")
        if length is not None and default is not None and len(default) != length:
            raise InvalidArgumentError(self.name, "default argument does not match expected length")
        self.length = int(len(default) if length is None else length)
        self.default = default
        self.sampling_mean = sampling_mean
        self.sampling_std = sampling_std

    def to_dict(self) -> dict[str, Any]:
        """Adds `length`, `samplingMean`, `samplingStd`, `default`."""
        return {
            **super().to_dict(),
            "length": self.length,
            "samplingMean": self.sampling_mean,
            "samplingStd": self.sampling_std,
            "default": to_plain(self.default),
        }

    def example(self) -> list[float]:
        """The default, or a point drawn as the sampling hints say, always the same one.

        Raises:
            NoExampleError: neither a default nor the length is known.
        """
        if self.default is not None:
            given: list[float] = np.asarray(to_plain(self.default)).tolist()
            return given
        if not self.length:
            raise NoExampleError(f"{self.name} ({self.type} of unknown length)")
        drawn = np.random.default_rng(0).normal(self.sampling_mean, self.sampling_std, self.length)
        return [float(number) for number in drawn]

    def decode(self, value: Any) -> Array:
        """Array of the numbers: a scalar passes, one dimension must have the declared length."""
        if not isinstance(value, (list, tuple, int, float, np.ndarray, np.number)):
            raise InvalidArgumentError(self.name, f"expected numbers, got {json_kind(value)}")
        try:
            numbers = _floats(value) if type(value) is list else None
            if numbers is None:
                numbers = np.array(value)
        except ValueError as error:
            raise InvalidArgumentError(self.name, "expected rows of one length") from error
        if numbers.dtype.kind not in "iuf":
            raise InvalidArgumentError(self.name, "expected nothing but numbers")
        # a length of 0 is what scripts write that do not know it
        if self.length and numbers.ndim == 1 and len(numbers) != self.length:
            raise InvalidArgumentError(
                self.name, f"expected {self.length} numbers, got {len(numbers)}"
            )
        return numbers

    def restore(self, value: Array) -> Array:
        """A copy of its own, as models change vectors in place."""
        return np.array(value)

    def prepare(self, value: Any, output_format: str | None = None) -> Any:
        """An array for arrays and tensors, plain numbers for lists, tuples and scalars."""
        try:
            numbers = as_array(value)
            if numbers is not None and numbers.dtype.kind in "biuf":
                return np.ascontiguousarray(numbers) if numbers.ndim else numbers
            if numbers is None and isinstance(value, (list, tuple, int, float, np.number)):
                return to_plain(value)
        except TypeError as error:
            raise InferenceError(f"output {self.name} is not a vector: {error}") from error
        raise InferenceError(f"output {self.name} is not a vector: got {type(value).__name__}")

    def encode(self, value: Any, output_format: str | None = None) -> Any:
        """List of the numbers, or the number; an array where JSON is written of it as of the list."""
        if not isinstance(value, np.ndarray):
            return value
        return value if is_written_as_list(value) else value.tolist()

    def serialize(self, value: Any, output_format: str | None = None) -> Any:
        """List of the numbers, or the number."""
        encoded = super().serialize(value, output_format)
        return encoded.tolist() if isinstance(encoded, np.ndarray) else encoded


def _floats(values: list[Any]) -> Array | None:
    """`np.array` of numbers of which the first is a float, in half its time; None for other lists."""
    if not values or type(values[0]) is not float:
        return None
    try:
        return np.frombuffer(struct.pack(f"{len(values)}d", *values))
    except (struct.error, OverflowError):  # not one row of numbers, or one that no float holds
        return None
