"""Calls made up from the types of a command's inputs: different ones, as different clients would send them."""

from __future__ import annotations

from typing import Any

from runway.data_types import category, number, text
from runway.data_types.base import BaseType
from runway.manifest import Command
from runway_serve.workers.warmup import example_inputs

STEPS_ACROSS = 8  # of a number's range, where the author gave no step


def varied_inputs(command: Command, count: int) -> list[dict[str, Any]]:
    """JSON inputs of several calls: the example, and further ones in which numbers, texts and categories differ.

    Raises:
        NoExampleError: an input has neither an example nor a default; the text names it.
    """
    example = example_inputs(command)
    types = command.inputs.types
    return [
        {name: _varied(types[name], value, index) for name, value in example.items()}
        for index in range(count)
    ]


def _varied(data_type: BaseType, value: Any, index: int) -> Any:
    """The `index`-th value that fits the type, of the length and near the size of the given one."""
    if isinstance(data_type, number):
        return _number(data_type, value, index)
    if isinstance(data_type, category):
        choices = data_type.choices
        return choices[(choices.index(value) + index) % len(choices)]
    if isinstance(data_type, text) and value:
        at = index % len(value)
        return value[at:] + value[:at]
    return value


def _number(data_type: number, value: Any, index: int) -> Any:
    step = data_type.step or 1
    if data_type.step is None and data_type.min is not None and data_type.max is not None:
        across = (data_type.max - data_type.min) / STEPS_ACROSS
        step = int(across) if isinstance(value, int) and across >= 1 else across
    for moved in (value + index * step, value - index * step):
        if (data_type.min is None or moved >= data_type.min) and (
            data_type.max is None or moved <= data_type.max
        ):
            return moved
    return value
