"""Places in an image: point, bounding box, landmarks.

Coordinates are 0..1 by convention; other values pass, as scripts use pixels too. Checked in both directions.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from runway.data_types.base import PortableType, json_kind
from runway.exceptions import InvalidArgumentError
from runway.jsonable import to_plain

BOX_LENGTH = 4
PAIR_LENGTH = 2


class _Coordinates(PortableType):
    """Lists of numbers, checked by the same rule on the way in and on the way out."""

    def decode(self, value: Any) -> list[Any]:
        """The value if it is a list of the right form."""
        if not isinstance(value, (list, tuple)):
            raise InvalidArgumentError(self.name, f"expected a list, got {json_kind(value)}")
        return self._checked(_plain_list(self.name, value))

    def prepare(self, value: Any, output_format: str | None = None) -> list[Any]:
        """The value as a list, if it is an iterable of the right form."""
        return self._checked(_plain_list(self.name, value))

    def _checked(self, value: list[Any]) -> list[Any]:
        raise NotImplementedError


class image_point(_Coordinates):
    """Two numbers: x, y."""

    def __init__(self, description: str | None = None) -> None:
        super().__init__("image_point", description)

    def example(self) -> list[float]:
        """The middle."""
        return [0.5, 0.5]

    def _checked(self, value: list[Any]) -> list[Any]:
        _check_numbers(self.name, value, PAIR_LENGTH)
        return value


class image_bounding_box(_Coordinates):
    """Four numbers: left, top, right, bottom."""

    def __init__(self, description: str | None = None) -> None:
        super().__init__("image_bounding_box", description)

    def example(self) -> list[float]:
        """The middle half of each side."""
        return [0.25, 0.25, 0.75, 0.75]

    def _checked(self, value: list[Any]) -> list[Any]:
        _check_numbers(self.name, value, BOX_LENGTH)
        for low, high in ((0, 2), (1, 3)):
            if value[low] >= value[high]:
                raise InvalidArgumentError(
                    self.name, f"{self.name}[{low}] must be less than {self.name}[{high}]"
                )
        return value


class image_landmarks(_Coordinates):
    """A fixed number of points, perhaps with labels and with lines between them."""

    spec_fields = ("length", "description", "labels", "connections")

    def __init__(
        self,
        length: int,
        description: str | None = None,
        labels: Iterable[str] | None = None,
        connections: Iterable[Iterable[str]] | None = None,
    ) -> None:
        super().__init__("image_landmarks", description)
        self.length = length
        self.labels = None if labels is None else list(labels)
        self.connections = None if connections is None else [list(pair) for pair in connections]
        if length <= 0:
            raise InvalidArgumentError(self.name, "landmarks length must be greater than 0")
        if self.labels is not None and len(self.labels) != length:
            raise InvalidArgumentError(
                self.name, "length of labels list does not match provided length"
            )
        self._check_connections()

    def to_dict(self) -> dict[str, Any]:
        """Adds `length`, and `labels` and `connections` if set."""
        described = {**super().to_dict(), "length": self.length}
        if self.labels:
            described["labels"] = self.labels
        if self.connections:
            described["connections"] = self.connections
        return described

    def example(self) -> list[list[float]]:
        """Points along a diagonal."""
        places = ((index + 1) / (self.length + 1) for index in range(self.length))
        return [[place, place] for place in places]

    def _check_connections(self) -> None:
        if self.connections is None:
            return
        if self.labels is None:
            raise InvalidArgumentError(
                self.name, "connections cannot be defined if labels is undefined"
            )
        for index, pair in enumerate(self.connections):
            if len(pair) != PAIR_LENGTH:
                raise InvalidArgumentError(
                    self.name,
                    f"Expected connection at index {index} to have 2 elements, "
                    f"instead got {len(pair)} elements",
                )
            for label in pair:
                if label not in self.labels:
                    raise InvalidArgumentError(self.name, f"{label} is not a valid landmark label")

    def _checked(self, value: list[Any]) -> list[Any]:
        if len(value) != self.length:
            raise InvalidArgumentError(
                self.name,
                f"Expected array of length {self.length}, instead got array of length {len(value)}",
            )
        for index, point in enumerate(value):
            if not isinstance(point, list):
                raise InvalidArgumentError(
                    self.name, f"Expected point at index {index} to be a list of 2 numbers"
                )
            if len(point) != PAIR_LENGTH:
                raise InvalidArgumentError(
                    self.name,
                    f"Expected point at index {index} to have 2 elements, "
                    f"instead got {len(point)} elements",
                )
            _check_numbers(self.name, point, PAIR_LENGTH)
        return value


def _plain_list(name: str, value: Any) -> list[Any]:
    """List of plain values, lists in it too.

    Raises:
        InvalidArgumentError: the value is not iterable, or holds something that JSON has no word for.
    """
    try:
        plain = to_plain(value if hasattr(value, "dtype") else list(value))
    except TypeError as error:
        raise InvalidArgumentError(name, f"expected numbers: {error}") from error
    return plain if isinstance(plain, list) else [plain]


def _check_numbers(name: str, value: list[Any], length: int) -> None:
    if len(value) != length:
        raise InvalidArgumentError(name, f"Value must be of length {length}")
    for number in value:
        if isinstance(number, bool) or not isinstance(number, (int, float, np.number)):
            raise InvalidArgumentError(name, f"expected numbers, got {json_kind(number)}")
