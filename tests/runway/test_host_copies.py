"""Tensors of a batch are brought to the host together, and come out as if each had been fetched alone."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from runway import batches
from runway.batches import run_batch
from runway.data_types import BaseType, number, vector
from runway.data_types import any as anything
from runway.host_copies import CudaCopies, gather, to_host
from runway.invocation import Invocation
from runway.manifest import Command, Fields

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch
on_a_card = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


def is_tensor(value: object) -> bool:
    return isinstance(value, torch.Tensor)


class CountedCopies:
    """Copies on the host itself; what is not waited for holds no values yet."""

    def __init__(self) -> None:
        self.begun = []

    def stack(self, tensors):
        return torch.stack(list(tensors))

    def begin(self, stacked):
        copy = torch.empty_like(stacked)
        self.begun.append((stacked, copy))
        return copy

    def wait(self) -> None:
        for stacked, copy in self.begun:
            copy.copy_(stacked)


def gathered(outputs, names=frozenset("ab")):
    copies = CountedCopies()
    found = gather(outputs, names, is_tensor, copies)
    return found, [tuple(stacked.shape) for stacked, _ in copies.begun]


def filled(shape, value, dtype=torch.float32):
    return torch.full(shape, value, dtype=dtype)


def test_equal_tensors_of_a_batch_travel_as_one():
    outputs = [{"a": filled((3, 2), index)} for index in range(5)]

    found, stacks = gathered(outputs)

    assert stacks == [(5, 3, 2)]
    assert [one["a"].tolist() for one in found] == [one["a"].tolist() for one in outputs]
    assert all(one["a"] is not other["a"] for one, other in zip(found, outputs, strict=True))


def test_each_shape_and_type_travels_by_itself():
    outputs = [
        {"a": filled((2,), 1), "b": filled((3,), 2)},
        {"a": filled((2,), 3), "b": filled((2,), 4, torch.int64)},
    ]

    found, stacks = gathered(outputs)

    assert sorted(stacks) == [(1, 2), (1, 3), (2, 2)]
    for one, other in zip(found, outputs, strict=True):
        for name in ("a", "b"):
            assert torch.equal(one[name], other[name])
            assert one[name].dtype == other[name].dtype


def test_tensors_in_dicts_lists_and_tuples_are_found_and_their_holders_kept():
    inner = {"deep": [filled((2,), 1), (filled((2,), 2), "text")], "n": 7, "empty": []}
    outputs = [{"a": inner}, {"a": filled((2,), 3)}]

    found, stacks = gathered(outputs)

    assert stacks == [(3, 2)]
    assert torch.equal(found[0]["a"]["deep"][0], filled((2,), 1))
    assert torch.equal(found[0]["a"]["deep"][1][0], filled((2,), 2))
    assert found[0]["a"]["deep"][1][1] == "text"
    assert found[0]["a"]["n"] == 7 and found[0]["a"]["empty"] == []
    assert found[0]["a"] is not inner, "the author's own objects stay as they are"
    assert torch.equal(found[1]["a"], filled((2,), 3))


def test_only_the_named_outputs_are_looked_into():
    outputs = [{"a": filled((2,), index), "own": filled((2,), index)} for index in range(2)]

    found, stacks = gathered(outputs, names={"a"})

    assert stacks == [(2, 2)]
    assert all(one["own"] is other["own"] for one, other in zip(found, outputs, strict=True))


def test_bare_outputs_with_and_without_progress_are_looked_into():
    found, stacks = gathered([filled((2,), 1), (filled((2,), 2), 0.5), ({"a": filled((2,), 3)}, 1)])

    assert stacks == [(3, 2)]
    assert found[0].tolist() == [1, 1]
    assert (found[1][0].tolist(), found[1][1]) == ([2, 2], 0.5)
    assert (found[2][0]["a"].tolist(), found[2][1]) == ([3, 3], 1)


def test_a_tensor_that_several_calls_return_travels_once():
    shared = filled((4,), 5)

    found, stacks = gathered([{"a": shared}, {"a": shared}, {"a": filled((4,), 6)}])

    assert stacks == [(2, 4)]
    assert [one["a"][0].item() for one in found] == [5, 5, 6]


@pytest.mark.parametrize("outputs", [[{"a": filled((2,), 1)}], [{"a": 1}, {"b": "text"}], []])
def test_what_cannot_be_gathered_is_left_alone(outputs):
    found, stacks = gathered(outputs)

    assert found is outputs
    assert stacks == []


def test_a_value_that_holds_itself_has_an_end():
    loop: list[object] = [filled((1,), 1)]
    loop.append(loop)

    found, stacks = gathered([{"a": loop}, {"a": filled((1,), 2)}])

    assert stacks == [(2, 1)]
    assert found[0]["a"][0].item() == 1


def test_without_a_card_nothing_is_touched(monkeypatch):
    outputs = [{"a": filled((2,), index)} for index in range(2)]
    if not torch.cuda.is_initialized():
        assert to_host(outputs, {"a"}) is outputs

    monkeypatch.delitem(sys.modules, "torch")

    assert to_host(outputs, {"a"}) is outputs


@pytest.mark.parametrize("value", [torch.zeros(2), torch.zeros(2, device="meta"), 1, None, [1]])
def test_only_tensors_on_a_card_are_wanted(value):
    assert not CudaCopies(torch).is_wanted(value)


class Place(BaseType):
    """A script's own type, which wants its tensor where it is."""

    def __init__(self):
        super().__init__("place")

    def serialize(self, value, output_format=None):
        return str(value.device)


def batch_of(device: str):
    def function(model, batch):
        return [
            (
                {
                    "row": torch.arange(4, device=device) * item["x"],
                    "nested": {"half": [torch.full((2,), item["x"], device=device).bfloat16()]},
                    "place": torch.zeros(1, device=device),
                },
                0.5,
            )
            if item["x"] != 3
            else {"row": torch.zeros(4, device=device)}
            for item in batch
        ]

    outputs = {"row": vector(length=4), "nested": anything, "place": Place}
    return Command("c", Fields({"x": number}), Fields(outputs), None, function, True, 8)


def check(results, device: str) -> None:
    assert "no value for output nested, place" in results[2].message
    for x, result in ((1, results[0]), (2, results[1]), (4, results[3])):
        assert result.value["row"].tolist() == [0, x, 2 * x, 3 * x]
        assert result.value["nested"] == f'{{"half":[[{x}.0,{x}.0]]}}'.encode()
        assert result.value["place"] == f'"{device}"'.encode()
        assert result.progress == 0.5


CALLS = [Invocation("c", {"x": x}) for x in (1, 2, 3, 4)]


def test_a_batch_answers_as_if_each_output_had_been_fetched_alone(monkeypatch):
    copies = CountedCopies()
    monkeypatch.setattr(
        batches, "to_host", lambda outputs, names: gather(outputs, names, is_tensor, copies)
    )

    check(run_batch(batch_of("cpu"), None, CALLS), "cpu")

    assert [tuple(stacked.shape) for stacked, _ in copies.begun] == [(3, 4), (3, 2), (1, 4)]


@pytest.mark.gpu
@on_a_card
def test_a_batch_on_a_card_answers_the_same():
    check(run_batch(batch_of("cuda:0"), None, CALLS), "cuda:0")


@pytest.mark.gpu
@on_a_card
def test_rows_from_a_card_are_pinned_and_lie_side_by_side():
    made = [torch.rand(3, 64, device="cuda") for _ in range(4)]

    found = to_host([{"a": tensor} for tensor in made], {"a"})

    rows = [one["a"] for one in found]
    assert all(row.device.type == "cpu" and row.is_pinned() for row in rows)
    starts = [row.data_ptr() for row in rows]
    assert np.diff(starts).tolist() == [3 * 64 * 4] * 3
    for row, tensor in zip(rows, made, strict=True):
        assert torch.equal(row, tensor.cpu())


@pytest.mark.gpu
@on_a_card
def test_what_a_stream_still_computes_is_waited_for():
    a = torch.rand(2048, 2048, device="cuda")
    expected = (a @ a @ a @ a).cpu()

    found = to_host([{"a": a @ a @ a @ a} for _ in range(4)], {"a"})

    assert all(torch.equal(one["a"], expected) for one in found)
