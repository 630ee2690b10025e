"""Calls an author's functions: setup, commands and generators; `batches.py` has those with `batch=True`.

Called in the model's thread by `LocalEngine` and by a worker's loop. Nothing here knows of HTTP or sockets.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Generator, Mapping
from contextlib import closing, nullcontext
from dataclasses import dataclass
from types import GeneratorType
from typing import Any

from runway.author import files_of, guarded, prepare_output
from runway.batches import run_batch
from runway.downloads import FilePolicy
from runway.exceptions import ENDINGS, InferenceError, RunwayError, SetupError, readable
from runway.invocation import Invocation, Output
from runway.manifest import Command, Fields

logger = logging.getLogger(__name__)


def run_setup(
    function: Callable[..., Any] | None, fields: Fields, options: Mapping[str, Any]
) -> Any:
    """Model object that the author's setup function made of the decoded `options`; None without a function.

    Raises:
        RunwayError: an option that is decoded here does not fit (400), or the function raised (500, `SetupError`).
    """
    if function is None:
        return None
    try:
        values = fields.restore(options)
        if fields.types or inspect.getfullargspec(function).args:
            return function(values)
        return function()
    except (RunwayError, *ENDINGS):
        raise
    except BaseException as error:
        raise SetupError(readable(error)) from error


def run_command(
    command: Command,
    model: Any,
    call: Invocation,
    policy: FilePolicy | None = None,
    is_wanted: Callable[[], bool] = lambda: True,
) -> Output | None:
    """The only output of one call; of a generator the last value.

    Args:
        command: what to run.
        model: what the setup function made.
        call: the decoded inputs.
        policy: which files inputs may name.
        is_wanted: asked after each value of a generator; the generator is closed, and the result None, if not.

    Raises:
        RunwayError: bad input, or the function raised (500, `InferenceError`).
    """
    with files_of(command, policy):
        if command.is_batched:
            result = run_batch(command, model, [call])[0]
            if isinstance(result, RunwayError):
                raise result
            return result
        returned = _call(command, model, call)
        if not isinstance(returned, GeneratorType):
            return prepare_output(command, returned, call)
        last, is_empty = None, True
        with closing(_values(returned)) as values:
            for value in values:
                last, is_empty = value, False
                if not is_wanted():
                    return None
        if is_empty:
            raise InferenceError(f"{command.name} ended without an output")
        return prepare_output(command, last, call)


def stream_command(
    command: Command, model: Any, call: Invocation, policy: FilePolicy | None = None
) -> Generator[Output, None, None]:
    """Every output of one call as it is made, and at last a final one without value.

    Closing the iterator closes the author's generator, so that its `finally` runs.

    Raises:
        RunwayError: bad input, or the function raised (500, `InferenceError`).
    """
    with files_of(command, policy):
        if command.is_batched:
            output = run_command(command, model, call)
            assert output is not None
            yield Output(output.value, output.progress, final=False)
        else:
            returned = _call(command, model, call)
            values = _values(returned) if isinstance(returned, GeneratorType) else iter([returned])
            with closing(values) if isinstance(values, GeneratorType) else nullcontext():
                for value in values:
                    yield prepare_output(command, value, call, final=False)
    yield Output(None)


def _call(command: Command, model: Any, call: Invocation) -> Any:
    assert command.function is not None
    inputs = guarded(command.inputs.restore, call.inputs)  # a type may be the author's own
    return guarded(command.function, model, inputs)


def _values(steps: GeneratorType[Any, Any, Any]) -> Generator[Any, None, None]:
    """What an author's generator yields, and what it returns if that is not None."""
    try:
        while not isinstance(value := guarded(_step, steps), _Ended):
            yield value
        if value.returned is not None:
            yield value.returned
    finally:
        _close(steps)


@dataclass
class _Ended:
    """The end of a generator."""

    returned: Any


def _step(steps: GeneratorType[Any, Any, Any]) -> Any:
    try:
        return next(steps)
    except StopIteration as stop:
        return _Ended(stop.value)


def _close(steps: GeneratorType[Any, Any, Any]) -> None:
    """Have an author's generator end; nobody waits for it any more, so that a failure is only logged."""
    try:
        steps.close()
    except ENDINGS:
        raise
    except BaseException:
        logger.warning("a generator failed as it was closed", exc_info=True)
