"""The check: every item alone, all items stacked, and whether that is the same.

What it hands out are always the results of the items alone.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from runway_serve.batching.coalesce.adapter import Adapter
from runway_serve.batching.coalesce.grouping import CONSTANTS, Layout, NetworkCall
from runway_serve.batching.coalesce.trees import Node, flatten, rebuild

STAMPED = 4  # runs alone whose network is looked at before and after
PROBE_STRICTNESS = 100.0  # two runs of one size differ by less than a run alone and a stacked one


@dataclass(slots=True)
class Answer:
    """What a network gave one item: a value, or what it raised."""

    value: Any = None
    error: Exception | None = None

    def give(self) -> Any:
        """The value, or raise."""
        if self.error is not None:
            raise self.error
        return self.value


def attempt(run: Callable[[], Any]) -> Answer:
    """The answer of a network that an author wrote."""
    try:
        return Answer(run())
    except Exception as error:
        return Answer(error=error)


def join_inputs(adapter: Adapter, calls: Sequence[NetworkCall], layout: Layout) -> list[Any]:
    """The leaves of one call that does the work of all."""
    return [
        leaf if at is None else adapter.join([call.leaves[index] for call in calls], at)
        for index, (leaf, at) in enumerate(zip(calls[0].leaves, layout, strict=True))
    ]


def split_output(adapter: Adapter, output: Any, count: int, outputs: Layout) -> list[Any]:
    """The items' outputs.

    Raises:
        ValueError: the output is not what the check saw.
    """
    leaves, shape = flatten(output)
    if len(leaves) != len(outputs):
        raise ValueError(f"the network gave {len(leaves)} values, and {len(outputs)} when checked")
    parts = [
        [leaf] * count if at is None else adapter.split(leaf, count, at)
        for leaf, at in zip(leaves, outputs, strict=True)
    ]
    return [rebuild(shape, [part[index] for part in parts]) for index in range(count)]


class Check:
    """Runs calls both ways.

    Each call runs alone in its own lane, as networks may draw from the generators that the lane seeded; `finish` runs
    them stacked, in the last one. What is compared are copies, as lanes go on and may write into their results.

    Attributes:
        objection: why the network is not stacked, None if it agrees.
        is_passing: the objection may pass, since a network that fills a cache, or an item that raises, says nothing
            about the next call.
        ran_out_of_memory: the items did not fit when stacked.
        outputs: the dimension of each output leaf that counts items.
        alone_s: seconds of each run alone.

    Args:
        adapter: the framework.
        calls: two or more with one key.
        layout: how to stack them.
    """

    def __init__(self, adapter: Adapter, calls: Sequence[NetworkCall], layout: Layout) -> None:
        self.objection: str | None = None
        self.is_passing = False
        self.ran_out_of_memory = False
        self.outputs: Layout = ()
        self.alone_s: list[float] = []
        self._adapter = adapter
        self._calls = calls
        self._layout = layout
        self._inputs = join_inputs(
            adapter, calls, layout
        )  # a copy: runs may change what they are given
        self._taken: list[tuple[list[Any], Node | None]] = []

    def alone(self, index: int) -> Answer:
        """Run one call by itself; what it gives is what its lane gets."""
        adapter, call = self._adapter, self._calls[index]
        is_stamped = index < STAMPED and self.objection is None
        before = self._stamp(call) if is_stamped else {}
        adapter.wait()
        began = time.perf_counter()
        answer = attempt(call.alone)
        adapter.wait()
        self.alone_s.append(time.perf_counter() - began)
        after = self._stamp(call) if is_stamped else {}
        if answer.error is not None:
            self._object("it raised", is_passing=True)
        elif before != after:
            changed = [name for name in before | after if before.get(name) != after.get(name)]
            self._object(f"it changes {changed[0]}", is_passing=True)
        elif not self._is_untouched(index):
            self._object("it changes its input in place")
        else:
            self._take(answer)
        return answer

    def finish(self) -> None:
        """Run all stacked, and once more with only the first item kept, unless there is an objection already."""
        if self.objection is not None:
            return
        stacked = attempt(lambda: self._calls[0].with_leaves(self._fresh_inputs()))
        if stacked.error is not None:
            self.ran_out_of_memory = self._adapter.is_out_of_memory(stacked.error)
            self._object(f"it cannot run {len(self._calls)} items at once: {stacked.error!r:.200}")
            return
        self._fit(stacked.value)
        if self.objection is None:
            self._probe(stacked.value)

    def _object(self, objection: str, is_passing: bool = False) -> None:
        if self.objection is None:
            self.objection, self.is_passing = objection, is_passing

    def _stamp(self, call: NetworkCall) -> dict[str, Any]:
        return {**self._adapter.stamp(call.network), **_generators()}

    def _fresh_inputs(self) -> list[Any]:
        return [
            leaf if at is None else self._adapter.own(leaf)
            for leaf, at in zip(self._inputs, self._layout, strict=True)
        ]

    def _parts(self, index: int, at: int) -> list[Any]:
        return self._adapter.split(self._inputs[index], len(self._calls), at)

    def _is_untouched(self, index: int) -> bool:
        """Whether a call's inputs are what they were."""
        return all(
            at is None or self._adapter.is_same(self._parts(place, at)[index], leaf)
            for place, (leaf, at) in enumerate(
                zip(self._calls[index].leaves, self._layout, strict=True)
            )
        )

    def _take(self, answer: Answer) -> None:
        """Keep a copy of a result, if it is of a kind that can be split and joined."""
        adapter = self._adapter
        leaves, shape = flatten(answer.value)
        for leaf in leaves:
            if not (
                adapter.is_tensor(leaf) or adapter.is_constant(leaf) or isinstance(leaf, CONSTANTS)
            ):
                self._object(f"it returns a {type(leaf).__module__}.{type(leaf).__qualname__}")
                return
        self._taken.append(([adapter.own(x) if adapter.is_tensor(x) else x for x in leaves], shape))

    def _fit(self, stacked: Any) -> None:
        """Compare the stacked output with those of the items; notes `outputs`."""
        leaves, shape = flatten(stacked)
        if any(other != shape for _, other in self._taken):
            self._object("its output has another structure when stacked")
            return
        outputs: list[int | None] = []
        for index, leaf in enumerate(leaves):
            alone = [items[index] for items, _ in self._taken]
            at = self._compare(leaf, alone) if self._adapter.is_tensor(leaf) else None
            if at is None and any(not _is_equal(leaf, item) for item in alone):
                self._object("its output holds something besides tensors that differs when stacked")
            outputs.append(at)
        self.outputs = tuple(outputs)

    def _compare(self, stacked: Any, alone: list[Any]) -> int | None:
        """The dimension of an output that counts items."""
        at = _dimension(tuple(stacked.shape), tuple(alone[0].shape), len(alone))
        if at is None:
            self._object(
                f"an output of shape {tuple(alone[0].shape)} has no dimension that counts items"
            )
            return None
        for part, item in zip(self._adapter.split(stacked, len(alone), at), alone, strict=True):
            difference = self._adapter.difference(part, item)
            if difference is not None:
                self._object(f"its stacked results differ: {difference}")
                break
        return at

    def _probe(self, stacked: Any) -> None:
        """See whether the first item's result depends on the others: they are replaced by altered ones.

        Needed as the items may be equal, or so alike that what leaks from one to another cannot be seen.
        """
        inputs, is_altered = [], False
        for place, (leaf, at) in enumerate(zip(self._inputs, self._layout, strict=True)):
            if at is None:
                inputs.append(leaf)
                continue
            first, *others = self._parts(place, at)
            altered = [self._adapter.altered(other, at) for other in others]
            is_altered = is_altered or any(other is not None for other in altered)
            kept = [old if new is None else new for old, new in zip(others, altered, strict=True)]
            inputs.append(self._adapter.join([first, *kept], at))
        probed = attempt(lambda: self._calls[0].with_leaves(inputs)) if is_altered else None
        if probed is None or probed.error is not None:
            return  # made-up items may be what the network refuses
        values = flatten(self._first_of(probed.value))[0]
        references = flatten(self._first_of(stacked))[0]
        for value, reference, at in zip(values, references, self.outputs, strict=True):
            if at is None:
                continue
            if self._adapter.difference(value, reference, PROBE_STRICTNESS) is not None:
                self._object("an item's result depends on the items beside it")

    def _first_of(self, output: Any) -> Any:
        return split_output(self._adapter, output, len(self._calls), self.outputs)[0]


def _dimension(stacked: tuple[int, ...], alone: tuple[int, ...], count: int) -> int | None:
    """The dimension that grew `count` times while the others stayed."""
    if len(stacked) != len(alone):
        return None
    grown = [at for at, (one, other) in enumerate(zip(stacked, alone, strict=True)) if one != other]
    if len(grown) == 1 and stacked[grown[0]] == count * alone[grown[0]]:
        return grown[0]
    return None


def _is_equal(leaf: Any, item: Any) -> bool:
    return leaf is item or (
        type(leaf) is type(item) and isinstance(leaf, CONSTANTS) and leaf == item
    )


def _generators() -> dict[str, Any]:
    """Where the process-wide generators stand."""
    key = np.random.get_state()
    return {
        "the state of random": hash(random.getstate()),
        "the state of numpy.random": (bytes(key[1]), key[2]),  # type: ignore[index]
    }
