"""The failures a model script or its client can cause, each with its HTTP code and its message.

Scripts raise and catch these, the server turns them into answers, and worker processes send them over the wire.
Only the eight documented classes end in `Error` here; failures of the server itself live with the server.
"""

from __future__ import annotations

import operator
import sys
import traceback
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

FAULT = 500  # the model or its worker failed; higher codes tell of a server that is busy
WITHOUT_BODY = (204, 205, 304)  # the body of such an answer would be taken for the next one
# What ends a process on purpose; anything else that an author's code raises is answered.
ENDINGS = (KeyboardInterrupt, SystemExit)


class RunwayError(Exception):
    """Base of all failures that are answered as JSON: a message for the client and an HTTP code.

    Authors raise it, and subclasses of theirs, with whatever they have as a message and a code: what leaves it
    (`to_response`, `to_wire`) is a text and a status all the same.
    """

    code: int = FAULT
    default_message: ClassVar[str] = "An unknown error occurred."
    _carried_traceback: list[str] | None = None

    def __init__(self, message: str | None = None) -> None:
        self.message = self.default_message if message is None else message
        super().__init__(self.message)

    def __reduce__(self) -> tuple[Any, ...]:
        return from_wire, (self.to_wire(),)  # the constructors take a part of the message, not all

    def get_traceback(self) -> list[str]:
        """Stripped frames of this failure and of what caused it, oldest cause first.

        A failure that came over the wire gives the frames it carried.
        """
        if self._carried_traceback is not None:
            return list(self._carried_traceback)
        return [frame for exc in reversed(_causes(self)) for frame in _frames(exc)]

    def print_exception(self) -> None:
        """Write message and traceback to stderr."""
        print("\n".join([self._text(), *self.get_traceback()]), file=sys.stderr)

    def to_response(self) -> dict[str, Any]:
        """Body of the HTTP answer: `error` and `traceback`."""
        return {"error": self._text(), "traceback": self.get_traceback()}

    def to_wire(self) -> dict[str, Any]:
        """Everything another process needs to answer for this failure; see `from_wire`."""
        return {
            "type": type(self).__name__,
            "code": _status(self.code),
            "message": self._text(),
            "traceback": self.get_traceback(),
        }

    def _text(self) -> str:
        """The message as a text."""
        message = getattr(self, "message", self)  # a subclass may have forgotten `super().__init__`
        try:
            return str(message) or self.default_message
        except Exception:
            return readable(message)


class Refusal(RunwayError):
    """What the server declines before the model has any part in it: no traceback, perhaps headers of its own."""

    headers: Mapping[str, str] = MappingProxyType({})

    def get_traceback(self) -> list[str]:
        """Nothing: the frames of the server say nothing about the model."""
        return []

    def to_response(self) -> dict[str, Any]:
        """Body of the HTTP answer: `error` alone."""
        return {"error": self.message}


class MissingOptionError(RunwayError):
    """A setup option without a default was not given."""

    code = 400

    def __init__(self, name: str) -> None:
        super().__init__(f"Missing option: {name}.")


class MissingInputError(RunwayError):
    """A command input without a default was not given."""

    code = 400

    def __init__(self, name: str) -> None:
        super().__init__(f"Missing input: {name}.")


class InvalidArgumentError(RunwayError):
    """A value does not fit its data type, or a data type was declared with a bad argument."""

    code = 400

    def __init__(self, name: str, message: str | None = None) -> None:
        detail = f" {message}" if message else ""
        super().__init__(f"Invalid argument: {name}.{detail}")


class InferenceError(RunwayError):
    """The function of a command failed."""

    def __init__(self, message: str) -> None:
        super().__init__(f"Error during inference: {message}.")


class UnknownCommandError(RunwayError):
    """No command has this name."""

    code = 404

    def __init__(self, name: str) -> None:
        super().__init__(f"Unknown command: {name}.")


class SetupError(RunwayError):
    """The setup function failed."""

    def __init__(self, message: str) -> None:
        super().__init__(f"Error during setup: {message}.")


class MissingArgumentError(RunwayError):
    """A data type was declared without an argument it needs."""

    def __init__(self, arg: str) -> None:
        super().__init__(f"Missing argument: {arg}.")


def from_wire(wire: dict[str, Any]) -> RunwayError:
    """The failure that `to_wire` described, of the same class if this process knows one of that name.

    Message, code and traceback are those carried, whatever the class.
    """
    cls = _class_named(wire["type"])
    error = cls.__new__(cls)
    # not the class's own constructor: it would wrap the finished message once more
    RunwayError.__init__(error, str(wire["message"]))
    error.code = int(wire["code"])
    error._carried_traceback = [str(frame) for frame in wire["traceback"]]
    return error


def _class_named(name: str) -> type[RunwayError]:
    """Newest subclass of that name, or `RunwayError`."""
    pending = [RunwayError]
    found = RunwayError
    while pending:
        cls = pending.pop()
        if cls.__name__ == name:
            found = cls
        pending.extend(reversed(cls.__subclasses__()))
    return found


def readable(value: object) -> str:
    """The `repr` of an author's object, or its type's name if that fails."""
    try:
        return repr(value)
    except Exception:
        return f"<{type(value).__name__}>"


def _status(code: Any) -> int:
    """The HTTP status of an answer with a body that an author meant; 500 if it is none."""
    try:
        # Flask, which the SDK gave it to, also took texts: "404", "404 NOT FOUND"
        status = int(code.split()[0]) if isinstance(code, str) else operator.index(code)
    except (TypeError, ValueError, IndexError):
        return FAULT
    return status if 200 <= status <= 599 and status not in WITHOUT_BODY else FAULT


def _causes(error: BaseException) -> list[BaseException]:
    """`error`, then what it was raised from or during, and so on back to the first cause."""
    chain: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and not any(current is seen for seen in chain):
        chain.append(current)
        if current.__cause__ is not None or current.__suppress_context__:
            current = current.__cause__
        else:
            current = current.__context__
    return chain


def _frames(error: BaseException) -> list[str]:
    return [frame.strip() for frame in traceback.format_tb(error.__traceback__)]
