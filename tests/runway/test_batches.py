"""The steps of a batch, apart: inputs restored ahead of it, outputs prepared when the model runs for others."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from runway.batches import call_batch, has_plain_types, lasting, prepared, restored
from runway.data_types import BaseType, array, image, number, vector
from runway.exceptions import InvalidArgumentError, RunwayError
from runway.invocation import Invocation
from runway.manifest import Command, Fields
from runway.messages import RunBatch
from runway_serve.workers.ahead import Ahead


class Exact(BaseType):
    """A type of an author's own."""

    def __init__(self):
        super().__init__("fraction")

    def serialize(self, value):
        return str(value)

    def deserialize(self, value):
        return Fraction(value)


def batched(function, inputs=None, outputs=None) -> Command:
    inputs = {"x": number(default=1)} if inputs is None else inputs
    outputs = {"y": vector(length=2)} if outputs is None else outputs
    return Command("c", Fields(inputs), Fields(outputs), None, function, True, 4)


def calls(*values) -> list[Invocation]:
    return [Invocation("c", {"x": value}) for value in values]


PICTURE = Image.new("RGB", (2, 2))
# one output of a model, what it does to it afterwards, and the type
CHANGES = {
    "an array": (np.zeros(2), lambda value: value.fill(9), vector(length=2)),
    "a part of one": (np.zeros((2, 2))[:, 1], lambda value: value.fill(9), vector(length=2)),
    "a list": ([0.0, 0.0], lambda value: value.__setitem__(0, 9), vector(length=2)),
    "arrays in a list": ([np.zeros(2)], lambda value: value[0].fill(9), array(vector(length=2))),
    "a picture": (PICTURE, lambda value: value.paste(255, (0, 0, 2, 2)), image()),
    "pixels": (np.zeros((2, 2, 3), np.uint8), lambda value: value.fill(9), image()),
}


@pytest.mark.parametrize("is_named", [True, False])
@pytest.mark.parametrize("has_progress", [True, False])
@pytest.mark.parametrize("name", CHANGES)
def test_what_is_left_for_later_is_what_was_returned(name: str, is_named: bool, has_progress: bool):
    value, change, of_type = CHANGES[name]
    value = value.copy()
    outputs = [{"y": value} if is_named else value, {"y": value}]
    returned = [(output, 0.5) if has_progress else output for output in outputs]
    command = batched(lambda model, items: returned, outputs={"y": of_type})
    two = calls(1, 2)
    at_once = prepared(command, returned, two)
    expected = [str(command.outputs.encode(output.value, {})) for output in at_once]

    left = lasting(command, call_batch(command, None, restored(command, two), two), two)
    change(value)
    later = prepared(command, left, two)

    assert [str(command.outputs.encode(output.value, {})) for output in later] == expected
    assert [output.progress for output in later] == [0.5 if has_progress else None] * 2


def test_errors_are_left_for_later_in_their_places():
    def function(model, items):
        return [RunwayError("returned") if item["x"] == 3 else np.zeros(2) for item in items]

    command = batched(function, inputs={"x": number(max=5)})
    some = calls(1, 3, 2)
    given = restored(command, some)
    given[0] = InvalidArgumentError("x", "too large")

    left = lasting(command, call_batch(command, None, given, some), some)
    first, second, third = prepared(command, left, some)

    assert isinstance(first, InvalidArgumentError) and "too large" in first.message
    assert isinstance(second, RunwayError) and second.message == "returned"
    assert third.value["y"].tolist() == [0, 0]


def test_inputs_are_ready_for_the_batch_they_belong_to():
    command = batched(print)
    batch, other = (RunBatch(1, "c", list(enumerate(calls(5, 6)))) for _ in range(2))
    ahead = Ahead()
    assert ahead.take(batch, 2) is None

    ahead.prepare(command, batch)

    assert ahead.take(other, 2) is None  # though it looks the same
    assert ahead.take(batch, 2) == [{"x": 5}, {"x": 6}]
    assert ahead.take(batch, 2) is None  # they are not kept


def test_inputs_of_a_batch_that_lost_a_call_are_restored_again():
    command = batched(print)
    batch = RunBatch(1, "c", list(enumerate(calls(5, 6))))
    ahead = Ahead()

    ahead.prepare(command, batch)

    assert ahead.take(batch, 1) is None


@pytest.mark.parametrize("where", ["inputs", "outputs"])
def test_types_of_the_author_stay_in_the_thread_of_the_model(where: str):
    command = batched(print, **{where: {"x": Exact()}})
    batch = RunBatch(1, "c", list(enumerate(calls("1/2"))))
    ahead = Ahead()

    ahead.prepare(command, batch)

    assert not has_plain_types(command)
    assert ahead.take(batch, 1) is None


def test_the_function_of_a_single_call_is_not_looked_ahead_for():
    command = Command("c", Fields({"x": number()}), Fields({"y": number()}), None, print)
    batch = RunBatch(1, "c", list(enumerate(calls(5))))
    ahead = Ahead()

    ahead.prepare(command, batch)

    assert ahead.take(batch, 1) is None
