"""Types of one JSON value: any, boolean, category, number, text.

The class `any` shadows the builtin in this module.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import orjson

from runway.compat import strict_sdk
from runway.data_types.base import PortableType, json_kind
from runway.exceptions import InferenceError, InvalidArgumentError, MissingArgumentError
from runway.jsonable import to_json, to_plain

Number = int | float
EXAMPLE_TEXT = "warm-up"


class any(PortableType):
    """Whatever JSON can say. The worker writes the JSON text; the front only puts it into the answer."""

    def __init__(self, description: str | None = None) -> None:
        super().__init__("any", description)

    def prepare(self, value: Any, output_format: str | None = None) -> bytes:
        """JSON text of the value."""
        try:
            return to_json(value)
        except (TypeError, ValueError, RecursionError) as error:
            raise InferenceError(f"output {self.name} is not JSON: {error}") from error

    def encode(self, value: bytes, output_format: str | None = None) -> orjson.Fragment:
        """The JSON text as a fragment that orjson copies into the answer."""
        return orjson.Fragment(value)

    def serialize(self, value: Any, output_format: str | None = None) -> Any:
        """The value unchanged."""
        return value


class boolean(PortableType):
    """True or false, and nothing that only behaves like it."""

    spec_fields = ("description", "default")

    def __init__(self, description: str | None = None, default: bool = False) -> None:
        super().__init__("boolean", description)
        self.default = default

    def to_dict(self) -> dict[str, Any]:
        """Adds `default`."""
        return {**super().to_dict(), "default": self.default}

    def example(self) -> bool:
        """The default."""
        return bool(self.default)

    def decode(self, value: Any) -> bool:
        """The value if it is a bool."""
        return self._checked(value)

    def prepare(self, value: Any, output_format: str | None = None) -> bool:
        """The value if it is a bool; a numpy bool is not."""
        return self._checked(value)

    def _checked(self, value: Any) -> bool:
        if not isinstance(value, bool):
            raise InvalidArgumentError(self.name, f"value type {type(value)} is not a boolean")
        return value


class category(PortableType):
    """One of a list of choices."""

    spec_fields = ("choices", "description", "default")

    def __init__(
        self,
        description: str | None = None,
        choices: Iterable[Any] | None = None,
        default: Any = None,
    ) -> None:
        super().__init__("category", description)
        self.choices = [] if choices is None else [to_plain(choice) for choice in choices]
        if not self.choices:
            raise MissingArgumentError("choices")
        default = to_plain(default)
        if default is not None and default not in self.choices:
            raise InvalidArgumentError(
                self.name, f"default argument {default} is not in choices list"
            )
        self.default = self.choices[0] if default is None else default

    def to_dict(self) -> dict[str, Any]:
        """Adds `oneOf` and `default`."""
        return {**super().to_dict(), "oneOf": self.choices, "default": self.default}

    def example(self) -> Any:
        """The default, which is the first choice unless another was declared."""
        return self.default

    def decode(self, value: Any) -> Any:
        """The choice that equals the value; true is not 1."""
        for choice in self.choices:
            if choice == value and isinstance(choice, bool) == isinstance(value, bool):
                return choice
        raise InvalidArgumentError(
            self.name, f'category value "{value}" does not appear in choices list.'
        )

    def prepare(self, value: Any, output_format: str | None = None) -> Any:
        """The value, not compared with the choices."""
        return _plain_output(self.name, value)


class number(PortableType):
    """An integer or a float, within limits if they are given; `step` only informs."""

    spec_fields = ("description", "default", "step", "min", "max")

    def __init__(
        self,
        description: str | None = None,
        default: Number | None = None,
        step: Number | None = None,
        min: Number | None = None,
        max: Number | None = None,
    ) -> None:
        super().__init__("number", description)
        self.step: Number | None = to_plain(step)
        self.min: Number | None = to_plain(min)
        self.max: Number | None = to_plain(max)
        self.default = self._zero_within_limits() if default is None else to_plain(default)

    def to_dict(self) -> dict[str, Any]:
        """Adds `default`, and `min`, `max`, `step` where given."""
        limits = {"min": self.min, "max": self.max, "step": self.step}
        given = {key: limit for key, limit in limits.items() if limit is not None}
        return {**super().to_dict(), "default": self.default, **given}

    def example(self) -> Number:
        """The default, which is 0 or the limit nearest to it unless another was declared."""
        return self.default

    def decode(self, value: Any) -> Number:
        """The value if it is a finite number within the limits."""
        # The first SDK passed any JSON value on, and a recorded case sends a boolean to a number without limits.
        is_limited = self.min is not None or self.max is not None
        if isinstance(value, bool) and not is_limited:
            return value
        if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
            raise InvalidArgumentError(self.name, f"expected a number, got {json_kind(value)}")
        given: Number = to_plain(value)
        if not math.isfinite(given) and not strict_sdk():
            raise InvalidArgumentError(self.name, f"expected a finite number, got {given}")
        if self.min is not None and given < self.min:
            raise InvalidArgumentError(self.name, f"{given} is less than the minimum {self.min}")
        if self.max is not None and given > self.max:
            raise InvalidArgumentError(self.name, f"{given} is more than the maximum {self.max}")
        return given

    def prepare(self, value: Any, output_format: str | None = None) -> Any:
        """A Python number for numpy scalars and tensors of one number; other JSON values pass."""
        return _plain_output(self.name, value)

    def _zero_within_limits(self) -> Number:
        if self.min is not None and self.min > 0:
            return self.min
        if self.max is not None and self.max < 0:
            return self.max
        return 0


class text(PortableType):
    """A string, with limits in characters."""

    spec_fields = ("description", "default", "min_length", "max_length")

    def __init__(
        self,
        description: str | None = None,
        default: str = "",
        min_length: int = 0,
        max_length: int | None = None,
    ) -> None:
        super().__init__("text", description)
        self.default = default
        self.min_length = min_length
        self.max_length = max_length

    def to_dict(self) -> dict[str, Any]:
        """Adds `default`, `minLength`, and `maxLength` if set."""
        described = {**super().to_dict(), "default": self.default, "minLength": self.min_length}
        if self.max_length:
            described["maxLength"] = self.max_length
        return described

    def example(self) -> str:
        """The default if it is not empty, else a word, both of a length that passes."""
        words = self.default or EXAMPLE_TEXT
        repeats = -(-(self.min_length or 0) // len(words))
        return (words * max(1, repeats))[: self.max_length or None]

    def decode(self, value: Any) -> str:
        """The value if it is a string within the limits."""
        # The first SDK passed any JSON value on; no recorded case needs that.
        if not isinstance(value, str):
            raise InvalidArgumentError(self.name, f"expected a string, got {json_kind(value)}")
        check_length(self.name, len(value), self.min_length, self.max_length, "characters")
        return value

    def prepare(self, value: Any, output_format: str | None = None) -> str:
        """`str()` of the value, whatever it is; None gives "None"."""
        return str(value)


def check_length(name: str, length: int, low: int | None, high: int | None, unit: str) -> None:
    """Refuse a length outside `low`..`high`; 0 and None are no limit.

    Raises:
        InvalidArgumentError: names the length and the limit.
    """
    if low and length < low:
        raise InvalidArgumentError(name, f"expected at least {low} {unit}, got {length}")
    if high and length > high:
        raise InvalidArgumentError(name, f"expected at most {high} {unit}, got {length}")


def _plain_output(name: str, value: Any) -> Any:
    try:
        return to_plain(value)
    except TypeError as error:
        raise InferenceError(f"output {name} is not JSON: {error}") from error
