"""The check: every item alone, all items stacked, and whether that is the same.

It runs inside a lane, with that lane's modes; what it hands out are always the results of the items alone.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from runway_serve.batching.coalesce.adapter import Adapter
from runway_serve.batching.coalesce.grouping import CONSTANTS, Layout, NetworkCall
from runway_serve.batching.coalesce.trees import Node, flatten, rebuild

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


@dataclass(slots=True)
class Verdict:
    """Outcome of a check.

    `objection` says why the network is not stacked, None if it agrees. `is_passing`: it may be another time, since
    a network that fills a cache, or an item that raises, says nothing about the next call. `outputs` is the dimension of each
    output leaf that counts items.
    """

    answers: list[Answer]
    objection: str | None = None
    is_passing: bool = False
    ran_out_of_memory: bool = False
    outputs: Layout = ()
    alone_s: list[float] = field(default_factory=list)


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


def check(adapter: Adapter, calls: Sequence[NetworkCall], layout: Layout) -> Verdict:
    """Run the calls both ways.

    Args:
        adapter: the framework.
        calls: two or more with one key.
        layout: how to stack them.
    """
    inputs = join_inputs(adapter, calls, layout)  # a copy: the runs below may change what they are given
    before = {**adapter.stamp(calls[0].network), **_generators()}
    answers, alone_s = [], []
    for call in calls:
        adapter.wait()
        began = time.perf_counter()
        answer = attempt(call.alone)
        adapter.wait()
        alone_s.append(time.perf_counter() - began)
        answers.append(_owned(adapter, call, answer))
    verdict = Verdict(answers, alone_s=alone_s)
    if any(answer.error is not None for answer in answers):
        verdict.objection, verdict.is_passing = "it raised", True
        return verdict
    after = {**adapter.stamp(calls[0].network), **_generators()}
    changed = [name for name in before | after if before.get(name) != after.get(name)]
    if changed:
        verdict.objection = f"it changes {changed[0]}"
        verdict.is_passing = True
        return verdict
    again = join_inputs(adapter, calls, layout)
    for one, other, at in zip(inputs, again, layout, strict=True):
        if at is not None and not adapter.is_same(one, other):
            verdict.objection = "it changes its input in place"
            return verdict
    _compare(adapter, calls, layout, inputs, verdict)
    return verdict


def _compare(
    adapter: Adapter,
    calls: Sequence[NetworkCall],
    layout: Layout,
    inputs: list[Any],
    verdict: Verdict,
) -> None:
    """Run the stacked call, and another one in which only the first item is kept."""
    taken = [flatten(answer.value) for answer in verdict.answers]
    verdict.objection = _foreign(adapter, [leaf for leaves, _ in taken for leaf in leaves])
    if verdict.objection is not None:
        return
    stacked = attempt(lambda: calls[0].with_leaves(inputs))
    if stacked.error is not None:
        verdict.ran_out_of_memory = adapter.is_out_of_memory(stacked.error)
        verdict.objection = f"it cannot run {len(calls)} items at once: {stacked.error!r:.200}"
        return
    verdict.objection = _fit(adapter, taken, stacked.value, verdict)
    if verdict.objection is None:
        verdict.objection = _probe(adapter, calls, layout, stacked.value, verdict.outputs)


def _fit(
    adapter: Adapter, taken: Sequence[tuple[list[Any], Node | None]], stacked: Any, verdict: Verdict
) -> str | None:
    """Why the stacked output is not that of the items; also fills in `verdict.outputs`."""
    leaves, shape = flatten(stacked)
    if any(other != shape for _, other in taken):
        return "its output has another structure when stacked"
    outputs: list[int | None] = []
    for index, leaf in enumerate(leaves):
        alone = [items[index] for items, _ in taken]
        if not adapter.is_tensor(leaf):
            if any(type(item) is not type(leaf) or item != leaf for item in alone):
                return "its output holds something that is not a tensor and differs when stacked"
            outputs.append(None)
            continue
        at = _dimension(tuple(leaf.shape), tuple(alone[0].shape), len(taken))
        if at is None:
            return f"an output of shape {tuple(alone[0].shape)} has no dimension that counts items"
        parts = adapter.split(leaf, len(taken), at)
        for part, item in zip(parts, alone, strict=True):
            difference = adapter.difference(part, item)
            if difference is not None:
                return f"its stacked results differ: {difference}"
        outputs.append(at)
    verdict.outputs = tuple(outputs)
    return None


def _probe(
    adapter: Adapter,
    calls: Sequence[NetworkCall],
    layout: Layout,
    stacked: Any,
    outputs: Layout,
) -> str | None:
    """Whether the first item's result depends on the others: they are replaced by altered ones.

    Needed as the items may be equal, or so alike that what leaks from one to another cannot be seen.
    """
    is_altered = False
    inputs = []
    for index, (leaf, at) in enumerate(zip(calls[0].leaves, layout, strict=True)):
        if at is None:
            inputs.append(leaf)
            continue
        others = [adapter.altered(call.leaves[index], at) for call in calls[1:]]
        is_altered = is_altered or any(other is not None for other in others)
        kept = [
            call.leaves[index] if other is None else other
            for call, other in zip(calls[1:], others, strict=True)
        ]
        inputs.append(adapter.join([leaf, *kept], at))
    if not is_altered:
        return None
    probed = attempt(lambda: calls[0].with_leaves(inputs))
    if probed.error is not None:
        return None  # made-up items may be what the network refuses
    values = flatten(split_output(adapter, probed.value, len(calls), outputs)[0])[0]
    references = flatten(split_output(adapter, stacked, len(calls), outputs)[0])[0]
    for value, reference, at in zip(values, references, outputs, strict=True):
        if at is not None and adapter.difference(value, reference, PROBE_STRICTNESS) is not None:
            return "an item's result depends on the items beside it"
    return None


def _dimension(stacked: tuple[int, ...], alone: tuple[int, ...], count: int) -> int | None:
    """The dimension that grew `count` times while the others stayed."""
    if len(stacked) != len(alone):
        return None
    grown = [at for at, (one, other) in enumerate(zip(stacked, alone, strict=True)) if one != other]
    if len(grown) == 1 and stacked[grown[0]] == count * alone[grown[0]]:
        return grown[0]
    return None


def _foreign(adapter: Adapter, leaves: Sequence[Any]) -> str | None:
    for leaf in leaves:
        if not (adapter.is_tensor(leaf) or adapter.is_constant(leaf) or isinstance(leaf, CONSTANTS)):
            return f"it returns a {type(leaf).__module__}.{type(leaf).__qualname__}"
    return None


def _owned(adapter: Adapter, call: NetworkCall, answer: Answer) -> Answer:
    """The answer with memory of its own, as the next item's run may write into what this one returned."""
    if answer.error is not None:
        return answer
    leaves, shape = flatten(answer.value)
    if _foreign(adapter, leaves) is not None or shape is None and not leaves:
        return answer
    given = {adapter.memory_of(leaf) for leaf in call.leaves if adapter.is_tensor(leaf)}
    copied = [
        adapter.own(leaf)
        if adapter.is_tensor(leaf) and adapter.memory_of(leaf) not in given
        else leaf
        for leaf in leaves
    ]
    return Answer(rebuild(shape, copied))


def _generators() -> dict[str, Any]:
    """Where the process-wide generators stand."""
    key = np.random.get_state()  # noqa: NPY002
    return {
        "the state of random": hash(random.getstate()),
        "the state of numpy.random": (bytes(key[1]), key[2]),  # type: ignore[index]
    }
