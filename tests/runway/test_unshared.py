"""Outputs that a model can still reach are copied before it runs again; only others keep their memory."""

from __future__ import annotations

import sys
import weakref
from collections import UserDict

import numpy as np
import pytest
import torch

from runway import unshared as module
from runway.batches import call_batch, lasting, restored
from runway.data_types import vector
from runway.invocation import Invocation
from runway.manifest import Command, Fields
from runway.unshared import unshared

FRESH = {
    "an array": lambda: {"y": np.zeros(2)},
    "several": lambda: {"y": np.zeros(2), "z": np.ones((2, 3))},
    "plain values too": lambda: {"y": np.zeros(2), "n": 1, "t": "text", "none": None},
    "a copy of a part": lambda: {"y": np.zeros((2, 2))[:, 1].copy()},
}
counted = pytest.mark.skipif(
    sys.implementation.name != "cpython" or not getattr(sys, "_is_gil_enabled", lambda: True)(),
    reason="references are not counted exactly here",
)


def keep_view(output):
    return output["y"][:1]


def keep_buffer(output):
    return memoryview(output["y"])


def keep_tensor(output):
    return torch.from_numpy(output["y"])


def keep_closure(output):
    return lambda: output


# what a model may keep of an output that it returns
KEPT = {
    "the dict": lambda output: output,
    "the array": lambda output: output["y"],
    "a view": keep_view,
    "a buffer": keep_buffer,
    "a tensor": keep_tensor,
    "a weak reference": lambda output: weakref.ref(output["y"]),
    "a closure": keep_closure,
    "its values": lambda output: list(output.values()),
    "a dict like it": dict,
}
NOT_OWNED = {
    "a view": lambda: {"y": np.zeros((2, 2))[0]},
    "a buffer of others": lambda: {"y": np.frombuffer(bytearray(16))},
    "objects": lambda: {"y": np.array([[], []], dtype=object)},
    "a list": lambda: {"y": [0.0, 0.0]},
    "a subclass": lambda: {"y": np.ma.zeros(2)},
    "another kind of dict": lambda: UserDict(y=np.zeros(2)),
    "no dict": lambda: np.zeros(2),
    "a tensor": lambda: {"y": torch.zeros(2)},
}


@counted
@pytest.mark.parametrize("name", FRESH)
def test_what_nobody_else_holds_is_ours(name: str):
    assert unshared([FRESH[name]() for _ in range(3)]) == [True] * 3


@pytest.mark.parametrize("name", KEPT)
def test_what_a_model_keeps_a_hold_of_is_not(name: str):
    outputs = [{"y": np.zeros(2)}, {"y": np.zeros(2)}]
    kept = KEPT[name](outputs[1])

    assert unshared(outputs)[1] is False
    assert kept is not None


@pytest.mark.parametrize("name", NOT_OWNED)
def test_memory_of_others_is_not(name: str):
    assert unshared([NOT_OWNED[name]()]) == [False]


def test_an_array_in_two_outputs_is_not():
    array = np.zeros(2)
    outputs = [{"y": array}, {"y": array}]
    del array

    assert unshared(outputs) == [False, False]


def test_where_references_are_not_counted_exactly_nothing_is(monkeypatch):
    monkeypatch.setattr(module.sys, "_is_gil_enabled", lambda: False, raising=False)

    assert unshared([{"y": np.zeros(2)}]) == [False]


def batched(function) -> Command:
    return Command(
        "c",
        Fields({"x": vector(length=2)}),
        Fields({"y": vector(length=2)}),
        None,
        function,
        True,
        4,
    )


def left_of(function, count: int = 3) -> list[dict[str, np.ndarray]]:
    """What is left for later of a batch of ones, as a worker does it."""
    command = batched(function)
    calls = [Invocation("c", {"x": np.ones(2)}) for _ in range(count)]
    given = restored(command, calls)
    returned = call_batch(command, None, given, calls)
    del given
    return lasting(command, returned, calls)


@counted
def test_inputs_that_are_given_back_are_not_copied():
    addresses = []

    def function(model, items):
        addresses[:] = [item["x"].ctypes.data for item in items]
        return [{"y": item["x"]} for item in items]

    for _ in range(200):  # also once the interpreter has adapted its code to what it saw
        left = left_of(function)
        assert [output["y"].ctypes.data for output in left] == addresses


@pytest.mark.parametrize("kept", ["its inputs", "what it returned", "each output", "each array"])
def test_a_model_that_changes_what_it_keeps_changes_no_answer(kept: str):
    hold = []

    def function(model, items):
        outputs = [{"y": item["x"]} for item in items]
        if kept == "its inputs":
            hold.append(items)
        elif kept == "what it returned":
            hold.append(outputs)
        elif kept == "each output":
            hold.extend(outputs)
        else:
            hold.extend(output["y"] for output in outputs)
        return outputs

    for _ in range(50):
        hold.clear()
        left = left_of(function)
        for one in hold:
            for item in one if isinstance(one, list) else [one]:
                array = item if isinstance(item, np.ndarray) else next(iter(item.values()))
                array.fill(9)

        assert [output["y"].tolist() for output in left] == [[1, 1]] * 3
