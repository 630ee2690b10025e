"""A call on its way to the author's code, `Invocation`, and what comes of it: an `Output` or a `RunwayError`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from runway.exceptions import RunwayError, from_wire


@dataclass(slots=True)
class Output:
    """One value of a task, ready to travel; `final` ends the task. A stream ends with a final output without value.

    `value` has prepared outputs by name, or is their JSON text (`runway.exchange.with_text`).
    """

    value: dict[str, Any] | bytes | None
    progress: float | None = None
    final: bool = True


@dataclass(slots=True)
class Invocation:
    """One call of a command: decoded inputs, image formats asked for, and whether every yield is wanted."""

    command: str
    inputs: dict[str, Any]
    formats: dict[str, str] = field(default_factory=dict)
    is_stream: bool = False
    request_id: str | None = None
    timeout_s: float | None = None  # instead of the server's, for those who said that they can wait


def detached(event: Output | RunwayError) -> Output | RunwayError:
    """The same outcome in memory of its own, as a model may use that of one answer again for the next."""
    if isinstance(event, RunwayError) or is_lasting(event):
        return event
    return Output(_copied(event.value), event.progress, event.final)


def is_lasting(event: Output | RunwayError) -> bool:
    """Whether nothing that the model still does can change an outcome."""
    return isinstance(event, RunwayError) or not isinstance(event.value, dict)


def _copied(value: Any) -> Any:
    """A prepared value, its arrays copied; what else is in it nobody can change."""
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    if isinstance(value, list) and value and isinstance(value[0], (np.ndarray, list, dict)):
        return [_copied(item) for item in value]
    return value


def carried(error: RunwayError) -> RunwayError:
    """A copy of `error` that keeps its traceback outside the `except` block that caught it."""
    return from_wire(error.to_wire())
