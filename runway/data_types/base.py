"""What every data type of an option, an input or an output has in common.

A portable type works in two processes. The front decodes JSON into a transportable value and encodes one into JSON;
the worker restores what the model's function gets and prepares what it returned. Transportable are None, bool, int,
float, str, bytes, list, dict and numpy arrays. Any other type does both halves in the worker.
"""

from __future__ import annotations

import copy
from typing import Any, ClassVar, TypeVar

import numpy as np

from runway.jsonable import to_plain

Self = TypeVar("Self", bound="BaseType")


class NoExampleError(Exception):
    """Nobody but the author knows what a value of this type looks like."""


class BaseType:
    """Base of all data types; scripts derive their own from it and write both conversions."""

    portable: ClassVar[bool] = False

    def __init__(self, data_type: str, description: str | None = None) -> None:
        self.type = data_type
        self.name = data_type
        self.description = description

    @property
    def bulky(self) -> bool:
        """True if decoding or encoding takes long enough to want a thread."""
        return False

    def named(self: Self, name: str) -> Self:
        """A copy under another name, as one object may be declared in several places."""
        twin = copy.copy(self)
        twin.name = name
        return twin

    def to_dict(self) -> dict[str, Any]:
        """The type as the manifest shows it."""
        return {"type": self.type, "name": self.name, "description": self.description}

    def example(self) -> Any:
        """A JSON value that a client might send, the same at each call; the default if there is one.

        Raises:
            NoExampleError: there is no telling.
        """
        raise NoExampleError(f"{self.name} ({self.type})")

    def serialize(self, value: Any, output_format: str | None = None) -> Any:
        """JSON value of what a command returned."""
        raise NotImplementedError

    def deserialize(self, value: Any) -> Any:
        """What the function gets for a JSON value."""
        raise NotImplementedError

    # The steps of a type that does not come apart: the worker does all of it.

    def decode(self, value: Any) -> Any:
        """The JSON value as it is."""
        return value

    def restore(self, value: Any) -> Any:
        """All of `deserialize`."""
        return self.deserialize(value)

    def prepare(self, value: Any, output_format: str | None = None) -> Any:
        """All of `serialize`; scripts' types may not know the format."""
        return self.serialize(value)

    def encode(self, value: Any, output_format: str | None = None) -> Any:
        """The JSON value as it is."""
        return value


class PortableType(BaseType):
    """A built-in type whose conversions come apart at the process border; each step does nothing by default."""

    portable = True
    spec_fields: ClassVar[tuple[str, ...]] = (
        "description",
    )  # constructor arguments kept as attributes

    def decode(self, value: Any) -> Any:
        """Checked transportable value of a JSON value.

        Raises:
            InvalidArgumentError: the value is not one of this type.
        """
        return value

    def restore(self, value: Any) -> Any:
        """What the function gets for a transportable value; it may change it without changing the argument."""
        return value

    def prepare(self, value: Any, output_format: str | None = None) -> Any:
        """Checked transportable value of what the function returned; nothing lazy is left in it.

        Raises:
            InvalidArgumentError: the type says that such an output is the caller's to know (400).
            InferenceError: the function returned something else than it declared (500).
        """
        return value

    def encode(self, value: Any, output_format: str | None = None) -> Any:
        """JSON value of a prepared output."""
        return value

    def serialize(self, value: Any, output_format: str | None = None) -> Any:
        """JSON value of what a command returned: `encode` after `prepare`."""
        return self.encode(self.prepare(value, output_format), output_format)

    def deserialize(self, value: Any) -> Any:
        """What the function gets for a JSON value: `restore` after `decode`."""
        return self.restore(self.decode(value))

    def spec(self) -> dict[str, Any]:
        """Constructor arguments, transportable, that make an equal type in another process."""
        return {field: _transportable(getattr(self, field)) for field in self.spec_fields}


class Opaque(BaseType):
    """Stands for a type of the script in a process without the script: values pass through unseen."""

    def __init__(self, name: str, described: dict[str, Any], has_default: bool) -> None:
        super().__init__(str(described.get("type", name)), described.get("description"))
        self.name = name
        self.described = described
        if has_default:
            self.default = described.get("default")

    def to_dict(self) -> dict[str, Any]:
        """What the real type said of itself."""
        return {**self.described, "name": self.name}


def as_type(given: Any, name: str) -> BaseType:
    """A data type of its own for one use, under `name`: a class is instantiated, an instance copied.

    Raises:
        TypeError: `given` is neither.
    """
    is_class = isinstance(given, type) and issubclass(given, BaseType)
    made = given() if is_class else given
    if not isinstance(made, BaseType):
        raise TypeError(f"{name} must be given a data type, not {given!r}")
    return made.named(name)


def json_kind(value: Any) -> str:
    """What JSON calls a value, for messages."""
    if value is None:
        return "null"
    kinds = {bool: "a boolean", str: "a string", list: "a list", dict: "an object"}
    return kinds.get(
        type(value), "a number" if isinstance(value, (int, float)) else str(type(value))
    )


def _transportable(value: Any) -> Any:
    return value if isinstance(value, np.ndarray) else to_plain(value)
