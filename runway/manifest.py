"""What a model offers: its commands and setup options, and their values' way in and out.

A `Manifest` lives in the model's process, where commands have functions, and is rebuilt from `to_wire()` in the front,
which never sees the script. The front calls `decode` and `encode`, the model's process `restore` and `prepare`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from runway.data_types import as_type, image, is_portable, spec_of, type_from_spec
from runway.data_types.base import BaseType
from runway.exceptions import (
    InferenceError,
    InvalidArgumentError,
    MissingInputError,
    MissingOptionError,
    RunwayError,
    UnknownCommandError,
    readable,
)
from runway.jsonable import to_json

IMAGE_FORMATS = ("PNG", "JPEG", "EXR")


class Fields:
    """Named data types: the options of a setup, or the inputs or outputs of a command.

    Args:
        types: name -> data type, as an instance or a class. Each is copied, so that scripts may share objects.
        missing: the error to raise for a value that is neither given nor has a default.
    """

    def __init__(
        self, types: Mapping[str, Any], missing: Callable[[str], RunwayError] = MissingInputError
    ) -> None:
        self.types: dict[str, BaseType] = {name: as_type(t, name) for name, t in types.items()}
        self._missing = missing
        self._portable = {name: is_portable(t) for name, t in self.types.items()}
        self.is_portable = all(self._portable.values())
        self.portable_names = frozenset(name for name, is_so in self._portable.items() if is_so)
        self._decoders = [
            (name, t.decode if self._portable[name] else None) for name, t in self.types.items()
        ]
        self._required = [name for name, t in self.types.items() if not hasattr(t, "default")]
        self.is_bulky = any(t.bulky for t in self.types.values())

    def to_dict(self) -> list[dict[str, Any]]:
        """The list that `GET /meta` shows."""
        return [t.to_dict() for t in self.types.values()]

    def to_wire(self) -> dict[str, Any]:
        """Enough to rebuild the portable types in another process."""
        return {name: spec_of(t) for name, t in self.types.items()}

    @classmethod
    def from_wire(
        cls, wire: Mapping[str, Any], missing: Callable[[str], RunwayError] = MissingInputError
    ) -> Fields:
        """The fields that `to_wire` described; types that cannot travel stand as opaque ones."""
        return cls({name: type_from_spec(spec) for name, spec in wire.items()}, missing)

    def decode(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """JSON values to values that may travel between processes; absent ones stay absent.

        Raises:
            RunwayError: 400, a value is missing or does not fit its type.
        """
        for name in self._required:
            if name not in given:
                raise self._missing(name)
        return {
            name: given[name] if decode is None else decode(given[name])
            for name, decode in self._decoders
            if name in given
        }

    def restore(self, decoded: Mapping[str, Any]) -> dict[str, Any]:
        """What the author's function is given: native values, and defaults exactly as declared."""
        values = {}
        for name, t in self.types.items():
            if name not in decoded:
                values[name] = getattr(t, "default", None)
            elif self._portable[name]:
                values[name] = t.restore(decoded[name])
            else:
                values[name] = t.deserialize(decoded[name])
        return values

    def prepare(self, values: Mapping[str, Any], formats: Mapping[str, str]) -> dict[str, Any]:
        """What the author's function returned, checked and made ready to travel."""
        prepared = {}
        for name, t in self.types.items():
            try:
                if self._portable[name]:
                    prepared[name] = t.prepare(values[name], formats.get(name))
                else:
                    prepared[name] = to_json(t.serialize(values[name]))
            except RunwayError:
                raise
            except Exception as error:
                raise _not_serialized(name, error) from error
        return prepared

    def encode(self, prepared: Mapping[str, Any], formats: Mapping[str, str]) -> dict[str, Any]:
        """Prepared values to values of the JSON answer.

        Raises:
            InferenceError: an output has no such form, as a JPEG of 70,000 columns.
        """
        encoded: dict[str, Any] = {}
        for name, t in self.types.items():
            try:
                if self._portable[name]:
                    encoded[name] = t.encode(prepared[name], formats.get(name))
                else:
                    encoded[name] = orjson.Fragment(prepared[name])
            except RunwayError:
                raise
            except Exception as error:
                raise _not_serialized(name, error) from error
        return encoded

    def image_formats(self, header: str | None) -> dict[str, str]:
        """Output formats that `X-Runway-Output-Format` asks for: name -> PNG, JPEG or EXR.

        Raises:
            InvalidArgumentError: an item without `=`, or an unknown format for an image.
        """
        formats: dict[str, str] = {}
        if not header:
            return formats
        for item in filter(None, (part.strip() for part in header.split(";"))):
            name, equals, wanted = (part.strip() for part in item.partition("="))
            if not equals:
                raise InvalidArgumentError(
                    "X-Runway-Output-Format", f"expected name=FORMAT, got {item!r}"
                )
            if not isinstance(self.types.get(name), image):
                continue
            if wanted.upper() not in IMAGE_FORMATS:
                raise InvalidArgumentError(
                    name, f"output format must be one of {', '.join(IMAGE_FORMATS)}, got {wanted!r}"
                )
            formats[name] = wanted.upper()
        return formats


def _not_serialized(name: str, error: Exception) -> InferenceError:
    return InferenceError(f"output {name} does not serialize: {readable(error)}")


@dataclass
class Command:
    """A named function with typed inputs and outputs; `function` is None in the front.

    `is_batched` is the author's contract: the function takes a list of input dicts and returns a list of outputs.
    """

    name: str
    inputs: Fields
    outputs: Fields
    description: str | None = None
    function: Callable[..., Any] | None = None
    is_batched: bool = False
    max_batch_size: int = 1
    max_wait_ms: float = 5.0
    may_coalesce: bool = True

    def to_dict(self) -> dict[str, Any]:
        """The object that `GET /<command>` shows."""
        return {
            "name": self.name,
            "description": self.description,
            "inputs": self.inputs.to_dict(),
            "outputs": self.outputs.to_dict(),
        }

    def to_wire(self) -> dict[str, Any]:
        """Everything but the function."""
        return {
            "name": self.name,
            "description": self.description,
            "inputs": self.inputs.to_wire(),
            "outputs": self.outputs.to_wire(),
            "is_batched": self.is_batched,
            "max_batch_size": self.max_batch_size,
            "max_wait_ms": self.max_wait_ms,
            "may_coalesce": self.may_coalesce,
        }

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> Command:
        """The command that `to_wire` described, without its function."""
        fields = {name: Fields.from_wire(wire[name]) for name in ("inputs", "outputs")}
        return cls(**{**wire, **fields})

    def named_outputs(self, value: Any) -> dict[str, Any]:
        """The outputs by name of what the function returned: a dict, or the bare value of the only output.

        Raises:
            InferenceError: an output is missing, or a bare value for several outputs.
        """
        names = list(self.outputs.types)
        if type(value) is dict:
            missing = [name for name in names if name not in value]
            if missing:
                raise InferenceError(
                    f"{self.name} returned no value for output {', '.join(missing)}"
                )
            return {name: value[name] for name in names}
        if len(names) == 1:
            return {names[0]: value}
        raise InferenceError(
            f"{self.name} must return a dict of {', '.join(names)}, got {type(value).__name__}"
        )


@dataclass
class Manifest:
    """The setup options and commands of one model."""

    options: Fields = field(default_factory=lambda: Fields({}, MissingOptionError))
    commands: dict[str, Command] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The two lists of `GET /meta` and of `RW_META=1`."""
        return {
            "options": self.options.to_dict(),
            "commands": [command.to_dict() for command in self.commands.values()],
        }

    def to_wire(self) -> dict[str, Any]:
        """What a worker sends to the front."""
        return {
            "options": self.options.to_wire(),
            "commands": [command.to_wire() for command in self.commands.values()],
        }

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> Manifest:
        """The manifest that `to_wire` described."""
        commands = (Command.from_wire(command) for command in wire["commands"])
        options = Fields.from_wire(wire["options"], MissingOptionError)
        return cls(options, {command.name: command for command in commands})

    def command(self, name: str) -> Command:
        """The command of that name.

        Raises:
            UnknownCommandError: there is none.
        """
        try:
            return self.commands[name]
        except KeyError:
            raise UnknownCommandError(name) from None
