"""Lanes: calls that take turns in one thread. A lane pauses where it meets a network, and nowhere else.

A `Lane` is a greenlet. The `Hub` starts lanes in order, collects those that pause, and resumes each with an order:
what to do about the network it met. All of it belongs to the model's thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextvars import copy_context
from typing import Any, Protocol

from greenlet import getcurrent, greenlet

from runway_serve.batching.coalesce.grouping import NetworkCall
from runway_serve.batching.coalesce.statistics import Kind

Order = Callable[[], Any]  # runs in the lane that gets it; its result is what the network gave
NOT_PAUSED = object()


class Host(Protocol):
    """Whom lanes belong to, and who hears of what they do (`coalescer.py`)."""

    def enter(self, lane: Lane) -> None:
        """Make the lane's world the current one."""

    def leave(self, lane: Lane) -> None:
        """Take the lane's world away, and put back the common one."""

    def end(self) -> None:
        """No lane is left."""

    def meet(
        self, adapter: Any, network: Any, run: Callable[..., Any], args: Any, kwargs: Any
    ) -> Any:
        """The running lane calls a network: what it gives."""

    def acts(self, lane: Lane, kind: Kind, what: str) -> None:
        """A lane is about to do what others could see. Must not raise."""

    def seeds(self, generator: str) -> None:
        """The running lane is about to set the state of a process-wide generator. Must not raise."""

    def moves(self) -> None:
        """The running lane is about to change the working directory. Must not raise."""


class Lane(greenlet):
    """One call of a command.

    `is_inside`: it runs a network, whose inner networks are its own business. `is_exclusive`: it did something that
    other calls could see, so it runs to its end without a pause.
    """

    def __init__(self, index: int, job: Callable[[], Any], host: Host) -> None:
        super().__init__()
        self.index = index
        self.host = host
        self.is_inside = False
        self.is_exclusive = False
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


Plan = Callable[[Sequence[tuple[Lane, NetworkCall]]], Iterable[tuple[Lane, Order]]]


class Hub:
    """Runs jobs as lanes.

    Args:
        host: swaps what belongs to lanes, and hears of what they do.
        plan: given all paused lanes, says in which order to resume them, and with what orders.
        ended: told the index and the result of each job, as it ends.
        paused: called after each round, while lanes are paused.
    """

    def __init__(
        self,
        host: Host,
        plan: Plan,
        ended: Callable[[int, Any], None],
        paused: Callable[[], None] = lambda: None,
    ) -> None:
        self._host = host
        self._plan = plan
        self._ended = ended
        self._told = paused
        self._paused: list[tuple[Lane, NetworkCall]] = []
        self._alive: set[Lane] = set()

    def run(self, jobs: Sequence[Callable[[], Any]], one_by_one: Callable[[], bool]) -> None:
        """Run every job to its end; once `one_by_one()` is true, the rest starts after the started ones ended.

        Raises:
            BaseException: whatever a job raised; the other lanes are given up.
        """
        try:
            for index, job in enumerate(jobs):
                if one_by_one():
                    self._finish()
                self._resume(Lane(index, job, self._host))
            self._finish()
        finally:
            self._give_up()

    def _finish(self) -> None:
        while self._paused:
            paused, self._paused = self._paused, []
            for lane, order in self._plan(paused):
                self._resume(lane, order)
            if self._paused:
                self._told()

    def _resume(self, lane: Lane, *orders: Order) -> None:
        self._alive.add(lane)
        self._host.enter(lane)
        here.lane = lane
        try:
            got = lane.switch(*orders)
        finally:
            here.lane = None
            self._host.leave(lane)
        if lane.dead:
            self._alive.discard(lane)
            self._ended(lane.index, got)
        else:
            self._paused.append((lane, got))

    def _give_up(self) -> None:
        """End lanes that will never be resumed, so that their `finally` clauses run now."""
        for lane in self._alive:
            if not lane.dead:
                lane.throw()
        self._alive.clear()
        self._paused = []
        self._host.end()
