"""The only code that calls an author's functions: setup, commands, generators, batches.

Called in the model's thread by `LocalEngine` and by a worker's loop. Nothing here knows of HTTP or sockets.
"""

from __future__ import annotations

import inspect
import logging
import math
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, field
from types import GeneratorType
from typing import Any

import numpy as np

from runway.downloads import FilePolicy, file_session
from runway.exceptions import ENDINGS, InferenceError, RunwayError, SetupError, readable
from runway.host_copies import to_host
from runway.manifest import Command, Fields

logger = logging.getLogger(__name__)
LARGEST_EXACT = 1 << 53  # above it a whole number is not the same to all who read JSON


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
    with _files(command, policy):
        if command.is_batched:
            result = run_batch(command, model, [call])[0]
            if isinstance(result, RunwayError):
                raise result
            return result
        returned = _call(command, model, call)
        if not isinstance(returned, GeneratorType):
            return _prepare(command, returned, call)
        last, is_empty = None, True
        with closing(_values(returned)) as values:
            for value in values:
                last, is_empty = value, False
                if not is_wanted():
                    return None
        if is_empty:
            raise InferenceError(f"{command.name} ended without an output")
        return _prepare(command, last, call)


def stream_command(
    command: Command, model: Any, call: Invocation, policy: FilePolicy | None = None
) -> Generator[Output, None, None]:
    """Every output of one call as it is made, and at last a final one without value.

    Closing the iterator closes the author's generator, so that its `finally` runs.

    Raises:
        RunwayError: bad input, or the function raised (500, `InferenceError`).
    """
    with _files(command, policy):
        if command.is_batched:
            output = run_command(command, model, call)
            assert output is not None
            yield Output(output.value, output.progress, final=False)
        else:
            returned = _call(command, model, call)
            values = _values(returned) if isinstance(returned, GeneratorType) else iter([returned])
            with closing(values) if isinstance(values, GeneratorType) else nullcontext():
                for value in values:
                    yield _prepare(command, value, call, final=False)
    yield Output(None)


def _files(command: Command, policy: FilePolicy | None) -> AbstractContextManager[Any]:
    """A session for files that inputs name; nothing for commands whose inputs cannot name any."""
    return nullcontext() if command.inputs.is_portable else file_session(policy)


def _call(command: Command, model: Any, call: Invocation) -> Any:
    assert command.function is not None
    inputs = _guarded(command.inputs.restore, call.inputs)  # a type may be the author's own
    return _guarded(command.function, model, inputs)


def _values(steps: GeneratorType[Any, Any, Any]) -> Generator[Any, None, None]:
    """What an author's generator yields, and what it returns if that is not None."""
    try:
        while not isinstance(value := _guarded(_step, steps), _Ended):
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
    with _files(command, policy):
        inputs: list[dict[str, Any]] = []
        good: list[int] = []
        for index, call in enumerate(calls):
            try:
                inputs.append(_guarded(command.inputs.restore, call.inputs))
                good.append(index)
            except RunwayError as error:
                results[index] = carried(error)
        outcomes = _run_items(command, model, inputs, [calls[index] for index in good])
        for index, outcome in zip(good, outcomes, strict=True):
            results[index] = outcome
    return [result for result in results if result is not None]


def _run_items(
    command: Command, model: Any, inputs: list[dict[str, Any]], calls: list[Invocation]
) -> list[Output | RunwayError]:
    """Outputs of calls whose inputs are restored."""
    if not inputs:
        return []
    assert command.function is not None
    try:
        returned = _checked_list(command, command.function(model, inputs), len(inputs))
    except WrongLength as error:
        return [carried(error)] * len(inputs)
    except ENDINGS:
        raise
    except BaseException as error:
        if len(inputs) == 1:
            return [_wrapped(error)]
        alone = (
            _run_items(command, model, [i], [c])[0] for i, c in zip(inputs, calls, strict=True)
        )
        return [detached(outcome) for outcome in alone]
    returned = to_host(returned, command.outputs.portable_names)
    return [_outcome(command, item, call) for item, call in zip(returned, calls, strict=True)]


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
        return carried(outcome)
    try:
        return _prepare(command, outcome, call)
    except RunwayError as error:
        return carried(error)


def _guarded(function: Callable[..., Any], *arguments: Any) -> Any:
    """Result of an author's code; whatever it raises becomes a `RunwayError`."""
    try:
        return function(*arguments)
    except (RunwayError, *ENDINGS):
        raise
    except BaseException as error:
        raise InferenceError(readable(error)) from error


def _prepare(command: Command, returned: Any, call: Invocation, final: bool = True) -> Output:
    value, progress = returned, None
    if type(returned) is tuple:
        if len(returned) != 2:
            raise InferenceError(
                f"{command.name} returned a tuple of {len(returned)}; a tuple means (output, progress)"
            )
        value, progress = returned[0], _as_number(returned[1])
    named = command.named_outputs(value)
    return Output(_guarded(command.outputs.prepare, named, call.formats), progress, final)


def _as_number(progress: Any) -> float | None:
    """A progress as JSON has numbers; None for anything else, as an answer by HTTP has no progress at all."""
    if progress is None or (type(progress) is int and abs(progress) < LARGEST_EXACT):
        return progress
    try:
        number = float(progress.item() if hasattr(progress, "item") else progress)
    except Exception:
        return None
    return number if math.isfinite(number) else None


def _wrapped(error: BaseException) -> RunwayError:
    """What `_guarded` would have raised for `error`, with its traceback noted."""
    if isinstance(error, RunwayError):
        return carried(error)
    try:
        raise InferenceError(readable(error)) from error
    except InferenceError as wrapped:
        return carried(wrapped)


def carried(error: RunwayError) -> RunwayError:
    """A copy of `error` that keeps its traceback outside the `except` block that caught it."""
    from runway.exceptions import from_wire

    return from_wire(error.to_wire())
