"""Sorts paused lanes into groups of equal calls and says what becomes of each."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any

from runway_serve.batching.coalesce.case import Case
from runway_serve.batching.coalesce.comparison import Answer
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
        while members:
            size = case.size_for(len(members))
            if size == 1:
                yield from ((lane, call.alone) for lane, call in members)
                break
            chunk, members = members[:size], members[size:]
            if len(chunk) == 1:
                yield chunk[0][0], chunk[0][1].alone
                break
            shared = SharedRun(case, [call for _, call in chunk])
            for index, (lane, _) in enumerate(chunk):
                yield lane, shared.order(index)


class SharedRun:
    """One run for several lanes. The first that goes on does the work, so that it happens in a world of theirs."""

    def __init__(self, case: Case, calls: Sequence[NetworkCall]) -> None:
        self._case = case
        self._calls = calls
        self._answers: list[Answer | None] | None = None

    def order(self, index: int) -> Order:
        """What the lane of one call has to do."""

        def take() -> Any:
            if self._answers is None:
                self._answers = [*self._case.answers(self._calls)]
                self._calls = ()
            answer, self._answers[index] = self._answers[index], None  # others keep it no longer than needed
            assert answer is not None
            return answer.give()

        return take
