"""How an author's code is called, whatever it raises or returns: for `execution.py` and `batches.py`."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from runway.downloads import FilePolicy, file_session
from runway.exceptions import ENDINGS, InferenceError, RunwayError, readable
from runway.invocation import Invocation, Output
from runway.manifest import Command

LARGEST_EXACT = 1 << 53  # above it a whole number is not the same to all who read JSON


def files_of(command: Command, policy: FilePolicy | None) -> AbstractContextManager[Any]:
    """A session for files that inputs name; nothing for commands whose inputs cannot name any."""
    return nullcontext() if command.inputs.is_portable else file_session(policy)


def guarded(function: Callable[..., Any], *arguments: Any) -> Any:
    """Result of an author's code; whatever it raises becomes a `RunwayError`."""
    try:
        return function(*arguments)
    except (RunwayError, *ENDINGS):
        raise
    except BaseException as error:
        raise InferenceError(readable(error)) from error


def prepare_output(command: Command, returned: Any, call: Invocation, final: bool = True) -> Output:
    """The output of what a function returned, with its progress if that is a tuple of both; else an error in words."""
    value, progress = returned, None
    if type(returned) is tuple:
        if len(returned) != 2:
            raise InferenceError(
                f"{command.name} returned a tuple of {len(returned)}; a tuple means (output, progress)"
            )
        value, progress = returned[0], _as_number(returned[1])
    named = command.named_outputs(value)
    return Output(guarded(command.outputs.prepare, named, call.formats), progress, final)


def _as_number(progress: Any) -> float | None:
    """A progress as JSON has numbers; None for anything else, as an answer by HTTP has no progress at all."""
    if progress is None or (type(progress) is int and abs(progress) < LARGEST_EXACT):
        return progress
    try:
        number = float(progress.item() if hasattr(progress, "item") else progress)
    except Exception:
        return None
    return number if math.isfinite(number) else None
