"""Functions with `batch=True`, in three steps: inputs are restored, the function is called, outputs are prepared.

`run_batch` takes them at once. A worker that answers beside the next run leaves the first and the last to another
thread; only the call has to be in the model's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from runway.author import files_of, guarded, prepare_output
from runway.downloads import FilePolicy
from runway.exceptions import InferenceError, RunwayError
from runway.host_copies import to_host
from runway.invocation import Invocation, Output, carried, detached
from runway.manifest import Command
from runway.unshared import NEVER_CHANGE, unshared

Given = list["dict[str, Any] | RunwayError"]


def run_batch(
    command: Command,
    model: Any,
    calls: Sequence[Invocation],
    policy: FilePolicy | None = None,
) -> list[Output | RunwayError]:
    """One output or error a call, in order, from a function with `batch=True`.

    A batch that raises is run again item by item, so that a bad item fails alone.
    """
    with files_of(command, policy):
        returned = call_batch(command, model, restored(command, calls), calls)
        return prepared(command, returned, calls)


def has_plain_types(command: Command) -> bool:
    """Whether its inputs and outputs are all of types that may be restored and prepared in any thread."""
    return command.inputs.is_portable and command.outputs.is_portable


def restored(command: Command, calls: Sequence[Invocation]) -> Given:
    """What the function is given for each call, or why that is not to be had."""
    given: Given = []
    for call in calls:
        try:
            given.append(guarded(command.inputs.restore, call.inputs))
        except RunwayError as error:
            given.append(carried(error))
    return given


def call_batch(
    command: Command, model: Any, given: Given, calls: Sequence[Invocation]
) -> list[Any]:
    """What the function returned for each call, for `prepared`; an error where there is one."""
    good = [index for index, item in enumerate(given) if not isinstance(item, RunwayError)]
    if len(good) == len(given):
        return _called(command, model, given, calls)
    results: list[Any] = list(given)
    items = [given[index] for index in good]
    outcomes = _called(command, model, items, [calls[index] for index in good])
    for index, outcome in zip(good, outcomes, strict=True):
        results[index] = outcome
    return results


def prepared(
    command: Command, returned: Sequence[Any], calls: Sequence[Invocation]
) -> list[Output | RunwayError]:
    """What `call_batch` gave, made ready to travel."""
    return [_outcome(command, item, call) for item, call in zip(returned, calls, strict=True)]


def lasting(command: Command, returned: Sequence[Any], calls: Sequence[Invocation]) -> list[Any]:
    """What `call_batch` gave in memory that the model does not have, for `prepared`, or prepared already.

    Only what others hold too is copied. Outputs may be the very arrays of the inputs, so let go of those first.
    """
    ours = unshared(returned)
    try:
        return [
            item if is_ours else _copied(item) for item, is_ours in zip(returned, ours, strict=True)
        ]
    except _NotPlainError:
        return [detached(outcome) for outcome in prepared(command, returned, calls)]


class _NotPlainError(Exception):
    pass


def _copied(value: Any) -> Any:
    kind = type(value)
    if kind is dict:
        return {
            key: item.copy()  # what most are is not worth a call of its own
            if type(item) is np.ndarray and not item.dtype.hasobject
            else _copied(item)
            for key, item in value.items()
        }
    if kind in NEVER_CHANGE:
        return value
    if kind is np.ndarray and not value.dtype.hasobject:
        return value.copy()
    if kind is Output:
        return detached(value)
    raise _NotPlainError


def _called(command: Command, model: Any, given: Given, calls: Sequence[Invocation]) -> list[Any]:
    if not given:
        return []
    try:
        returned = guarded(_listed, command, model, given)
    except RunwayError as error:
        if len(given) == 1 or isinstance(error, WrongLength):
            return [carried(error)] * len(given)
        return [_alone(command, model, item, call) for item, call in zip(given, calls, strict=True)]
    return to_host(returned, command.outputs.portable_names)


def _alone(command: Command, model: Any, item: Any, call: Invocation) -> Output | RunwayError:
    """The outcome of one call, in memory of its own, as the model runs for the others after it."""
    returned = _called(command, model, [item], [call])
    return detached(prepared(command, returned, [call])[0])


class WrongLength(InferenceError):
    """A batched function did not return one output an input."""


def _listed(command: Command, model: Any, given: Given) -> list[Any]:
    assert command.function is not None
    returned, expected = command.function(model, given), len(given)
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
    if isinstance(outcome, Output):
        return outcome
    if isinstance(outcome, RunwayError):
        return carried(outcome)
    try:
        return prepare_output(command, outcome, call)
    except RunwayError as error:
        return carried(error)
