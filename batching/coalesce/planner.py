"""Sorts paused lanes into groups of equal calls and says what becomes of each."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import partial
from typing import Any

from runway_serve.batching.coalesce.case import Case
from runway_serve.batching.coalesce.comparison import Answer, Check
from runway_serve.batching.coalesce.grouping import NetworkCall
from runway_serve.batching.coalesce.lanes import Lane, Order

Paused = tuple[Lane, NetworkCall]


def plan(
    paused: Sequence[Paused], case_of: Callable[[NetworkCall], Case]
) -> Iterator[tuple[Lane, Order]]:
    """Lanes in the order to resume them, each with its order.

    The next one is decided upon when the one before has run, as what came out of it may change the decision.
    """
    groups: dict[Hashable, list[Paused]] = {}
    for lane, call in paused:
        groups.setdefault(call.key, []).append((lane, call))
    for members in groups.values():
        case = case_of(members[0][1])
        rest = members
        while rest:
            size = case.size_for(len(rest))
            if size == 1:
                case.leave(len(rest))
                yield from ((lane, call.alone) for lane, call in rest)
                break
            chunk, rest = rest[:size], rest[size:]
            if len(chunk) == 1:
                case.leave(1)
                yield chunk[0][0], chunk[0][1].alone
                break
            calls = [call for _, call in chunk]
            check = case.check_for(calls)
            run = SharedRun(case, calls) if check is None else CheckedRun(case, check, len(calls))
            for index, (lane, _) in enumerate(chunk):
                yield lane, partial(run, index)


class SharedRun:
    """One run for several lanes. The first that goes on does the work, so that it happens in a world of theirs."""

    def __init__(self, case: Case, calls: Sequence[NetworkCall]) -> None:
        self._case = case
        self._calls = calls
        self._answers: list[Answer | None] | None = None

    def __call__(self, index: int) -> Any:
        """What the network gives the lane of one call."""
        if self._answers is None:
            self._answers = [*self._case.stacked(self._calls)]
            self._calls = ()
        answer, self._answers[index] = self._answers[index], None  # kept no longer than needed
        assert answer is not None
        return answer.give()


class CheckedRun:
    """Every lane runs its own call; the last one also runs all stacked, and the case learns from it."""

    def __init__(self, case: Case, check: Check, size: int) -> None:
        self._case = case
        self._check = check
        self._size = size

    def __call__(self, index: int) -> Any:
        """What the network gives the lane of one call."""
        answer = self._check.alone(index)
        if index == self._size - 1:
            self._check.finish()
            self._case.learn(self._check, self._size)
        return answer.give()
