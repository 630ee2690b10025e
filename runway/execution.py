"""The only code that calls an author's functions: setup, commands, generators, batches.

Called in the model's thread by `LocalEngine` and by a worker's loop. Nothing here knows of HTTP or sockets.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runway.downloads import FilePolicy, file_session
from runway.exceptions import InferenceError, RunwayError, SetupError
from runway.manifest import Command, Fields


@dataclass(frozen=True)
class Output:
    """One value of a task, ready to travel; `final` ends the task. A stream ends with a final output without value."""

    value: dict[str, Any] | None
    progress: float | None = None
    final: bool = True


@dataclass(frozen=True)
class Invocation:
    """One call of a command: decoded inputs, image formats asked for, and whether every yield is wanted."""

    command: str
    inputs: Mapping[str, Any]
    formats: Mapping[str, str] = field(default_factory=dict)
    is_stream: bool = False


def run_setup(
    function: Callable[..., Any] | None, fields: Fields, options: Mapping[str, Any]
) -> Any:
    """Model object that the author's setup function made of the decoded `options`; None without a function.

    Raises:
        RunwayError: an option that is decoded here does not fit (400), or the function raised (500, `SetupError`).
    """
    if function is None:
        return None
    values = fields.restore(options)
    try:
        if fields.types or inspect.getfullargspec(function).args:
            return function(values)
        return function()
    except RunwayError:
        raise
    except Exception as error:
        raise SetupError(repr(error)) from error


def run_command(
    command: Command, model: Any, call: Invocation, policy: FilePolicy | None = None
) -> Generator[Output, None, None]:
    """Outputs of one call, as they are made: one final output, or a stream when `call.is_stream`.

    Closing the iterator closes the author's generator, so that its `finally` runs.

    Raises:
        RunwayError: bad input, or the function raised (500, `InferenceError`).
    """
    with file_session(policy):
        if command.is_batched:
            yield from _as_stream(run_batch(command, model, [call])[0], call)
            return
        assert command.function is not None
        inputs = command.inputs.restore(call.inputs)
        returned = _guarded(command.function, model, inputs)
        if inspect.isgenerator(returned):
            try:
                yield from _run_generator(command, returned, call)
            finally:
                returned.close()
        else:
            yield from _as_stream(_prepare(command, returned, call), call)


def run_batch(
    command: Command,
    model: Any,
    calls: Sequence[Invocation],
    policy: FilePolicy | None = None,
) -> list[Output | RunwayError]:
    """One output or error a call, in order, from a function with `batch=True`.

    A batch that raises is run again item by item, so that a bad item fails alone.
    """
    results: list[Output | RunwayError | None] = [None] * len(calls)
    with file_session(policy):
        inputs: list[dict[str, Any]] = []
        good: list[int] = []
        for index, call in enumerate(calls):
            try:
                inputs.append(command.inputs.restore(call.inputs))
                good.append(index)
            except RunwayError as error:
                results[index] = carried(error)
        for index, outcome in zip(good, _run_items(command, model, inputs), strict=True):
            results[index] = _outcome(command, outcome, calls[index])
    return [result for result in results if result is not None]


def _run_items(command: Command, model: Any, inputs: list[dict[str, Any]]) -> list[Any]:
    """Raw values or `RunwayError`s of a list of restored inputs."""
    if not inputs:
        return []
    assert command.function is not None
    try:
        return _checked_list(command, command.function(model, inputs), len(inputs))
    except WrongLength as error:
        return [carried(error)] * len(inputs)
    except Exception as error:
        if len(inputs) == 1:
            return [_wrapped(error)]
        return [result for item in inputs for result in _run_items(command, model, [item])]


class WrongLength(InferenceError):
    """A batched function did not return one output an input."""


def _checked_list(command: Command, returned: Any, expected: int) -> list[Any]:
    if isinstance(returned, (str, bytes, dict)) or not hasattr(returned, "__len__"):
        raise WrongLength(
            f"{command.name} must return a list of {expected} outputs, got {type(returned).__name__}"
        )
    if len(returned) != expected:
        raise WrongLength(
            f"{command.name}: expected {expected} results, got {len(returned)} for a batch of {expected} inputs"
        )
    return list(returned)


def _outcome(command: Command, outcome: Any, call: Invocation) -> Output | RunwayError:
    if isinstance(outcome, RunwayError):
        return outcome
    try:
        return _prepare(command, outcome, call)
    except RunwayError as error:
        return carried(error)


def _as_stream(output: Output | RunwayError, call: Invocation) -> Iterator[Output]:
    """The only output of a call, followed by the end mark when the caller wants a stream."""
    if isinstance(output, RunwayError):
        raise output
    if call.is_stream:
        yield Output(output.value, output.progress, final=False)
        yield Output(None)
    else:
        yield output


def _run_generator(command: Command, steps: Iterator[Any], call: Invocation) -> Iterator[Output]:
    last, is_empty = None, True
    while True:
        try:
            last, is_empty = _guarded(next, steps), False
        except StopIteration as stop:
            if stop.value is not None:
                last, is_empty = stop.value, False
                if call.is_stream:
                    yield _prepare(command, last, call, final=False)
            break
        if call.is_stream:
            yield _prepare(command, last, call, final=False)
    if call.is_stream:
        yield Output(None)
    elif is_empty:
        raise InferenceError(f"{command.name} ended without an output")
    else:
        yield _prepare(command, last, call)


def _guarded(function: Callable[..., Any], *arguments: Any) -> Any:
    """Result of an author's code; whatever it raises becomes a `RunwayError`, but the end of a generator passes."""
    try:
        return function(*arguments)
    except (RunwayError, StopIteration):
        raise
    except Exception as error:
        raise InferenceError(repr(error)) from error


def _prepare(command: Command, returned: Any, call: Invocation, final: bool = True) -> Output:
    value, progress = returned, None
    if type(returned) is tuple:
        if len(returned) != 2:
            raise InferenceError(
                f"{command.name} returned a tuple of {len(returned)}; a tuple means (output, progress)"
            )
        value, progress = returned
    named = command.named_outputs(value)
    return Output(command.outputs.prepare(named, call.formats), progress, final)


def _wrapped(error: Exception) -> RunwayError:
    """What `_guarded` would have raised for `error`, with its traceback noted."""
    if isinstance(error, RunwayError):
        return carried(error)
    try:
        raise InferenceError(repr(error)) from error
    except InferenceError as wrapped:
        return carried(wrapped)


def carried(error: RunwayError) -> RunwayError:
    """A copy of `error` that keeps its traceback outside the `except` block that caught it."""
    from runway.exceptions import from_wire

    return from_wire(error.to_wire())
