"""Lanes: calls that take turns in one thread. A lane pauses where it meets a network, and nowhere else.

A `Lane` is a greenlet. The `Hub` starts lanes in order, collects those that pause, and resumes each with an order:
what to do about the network it met. All of it belongs to the model's thread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import copy_context
from typing import Any, Protocol

from greenlet import getcurrent, greenlet

from runway_serve.batching.coalesce.grouping import NetworkCall

Order = Callable[[], Any]  # runs in the lane that gets it; its result is what the network gave
NOT_PAUSED = object()


class Lane(greenlet):
    """One call of a command.

    `is_inside`: it runs a network, whose inner networks are its own business. `is_exclusive`: it did something that
    other calls could see, so it runs to its end without a pause.
    """

    def __init__(self, index: int, job: Callable[[], Any]) -> None:
        super().__init__()
        self.index = index
        self.is_inside = False
        self.is_exclusive = False
        self.calls = 0
        self.world: dict[str, Any] = {}
        self.own_generators: dict[str, Any] = {}
        self.own_paths: list[str] = []
        self._job = job
        self.gr_context = copy_context()

    def run(self) -> Any:
        """Run the job; greenlet calls this."""
        return self._job()

    def pause(self, call: NetworkCall) -> Any:
        """Let the others run; then do what the hub ordered, and return what the network gave."""
        assert self.parent is not None
        order: Order = self.parent.switch(call)
        return self.alone(order)

    def alone(self, run: Callable[[], Any]) -> Any:
        """Result of `run()`, in which networks are met by nobody."""
        self.is_inside = True
        try:
            return run()
        finally:
            self.is_inside = False


class _Here:
    """The lane that runs now. Every patched function looks here first, so it must cost nothing."""

    __slots__ = ("lane",)

    def __init__(self) -> None:
        self.lane: Lane | None = None


here = _Here()


def current_lane() -> Lane | None:
    """The lane that this code runs in; None in other threads and in greenlets that a script made itself."""
    lane = here.lane
    return lane if lane is not None and getcurrent() is lane else None


class Keeper(Protocol):
    """Keeps apart what belongs to each lane (`world.py`)."""

    def enter(self, lane: Lane) -> None:
        """Make the lane's world the current one."""

    def leave(self, lane: Lane) -> None:
        """Take the lane's world away, and put back the common one."""


Plan = Callable[[Sequence[tuple[Lane, NetworkCall]]], Sequence[tuple[Lane, Order]]]


class Hub:
    """Runs jobs as lanes.

    Args:
        keeper: swaps what belongs to lanes.
        plan: given all paused lanes, says in which order to resume them, and with what orders.
        ended: told the index and the result of each job, as it ends.
    """

    def __init__(self, keeper: Keeper, plan: Plan, ended: Callable[[int, Any], None]) -> None:
        self._keeper = keeper
        self._plan = plan
        self._ended = ended
        self._paused: list[tuple[Lane, NetworkCall]] = []

    def run(self, jobs: Sequence[Callable[[], Any]], one_by_one: Callable[[], bool]) -> None:
        """Run every job to its end; once `one_by_one()` is true, the rest starts after the started ones ended.

        Raises:
            BaseException: whatever a job raised; the other lanes are given up.
        """
        try:
            for index, job in enumerate(jobs):
                if one_by_one():
                    self._finish()
                self._resume(Lane(index, job))
            self._finish()
        finally:
            self._give_up()

    def _finish(self) -> None:
        while self._paused:
            paused, self._paused = self._paused, []
            for lane, order in self._plan(paused):
                self._resume(lane, order)

    def _resume(self, lane: Lane, *orders: Order) -> None:
        self._keeper.enter(lane)
        here.lane = lane
        try:
            got = lane.switch(*orders)
        finally:
            here.lane = None
            self._keeper.leave(lane)
        if lane.dead:
            self._ended(lane.index, got)
        else:
            self._paused.append((lane, got))

    def _give_up(self) -> None:
        """End lanes that will never be resumed, so that their `finally` clauses run now."""
        for lane, _ in self._paused:
            lane.throw()
        self._paused = []
