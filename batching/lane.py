"""One lane: the tasks of a command that wait, and when an idle worker should take them.

A worker that gets free opens a *fill window* on the lane it served: the clients it answered will
be back within a moment, and a batch taken before they are back would stay half full for ever. The
window closes when the lane holds its target, when arrivals pause, or after `max_wait_ms`; from then
on the worker counts as idle.

The target is what is queued plus what is expected back, but no more than a fair share: with two
workers that take turns, one that waited for all clients would leave the other batches of one.

To wait for those who were just answered pays while they take less to come back than a batch costs
in any case (`cost.py`), as one batch less has to run. To wait for one more of them pays while that
takes less than the tasks' part of this cost: with n of them, g for another while n * g < cost.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

from runway_serve.batching.cost import BatchCost
from runway_serve.batching.policy import BatchPolicy

T = TypeVar("T", bound=Hashable)

FILL_GAP_S = 0.001  # clients of a closed loop come back closer together than this
FILL_GAP_MIN_S = 0.00025  # below this a timer costs more than the fuller batch gains
FILL_GAP_OF_RUN = 0.25  # a command of 2 ms must not lose half of that by waiting
HOP_S = 0.0002  # to a worker and back: what a batch costs besides its run
NEWS = 0.2  # weight of the newest window in what is known of how fast clients come back
LOOK_AGAIN = 64  # of so many batches one opens a window that should not pay, as clients may have become faster
LATE = 0.02  # of a batch may come after it was formed, each of which waits for a whole run more
EXPLORE = 256  # of so many windows with batches all alike one is not opened, as other sizes tell what an item costs
EARLY = frozenset({16, 64})  # nor these
LOST_AFTER_S = 1.0  # a running batch this old (or 10 times the usual run) died with its worker


class Waiting(Generic[T]):
    """A task in its lane."""

    __slots__ = ("deadline", "lane", "queued_at", "task")

    def __init__(self, task: T, lane: Lane[T], queued_at: float, deadline: float | None) -> None:
        self.task = task
        self.lane = lane
        self.queued_at = queued_at
        self.deadline = deadline


class Lane(Generic[T]):
    """Waiting tasks of one command in order, and the fill window of the workers that serve it."""

    __slots__ = (
        "arrived_at",
        "came_at",
        "command",
        "cost",
        "ended",
        "fill_gap_s",
        "fill_lapses_at",
        "fill_until",
        "fillers",
        "freed_at",
        "freed_size",
        "gap_s",
        "gone",
        "gone_before",
        "is_filling",
        "is_formed",
        "late",
        "late_now",
        "policy",
        "return_s",
        "returning",
        "running",
        "target",
        "waiting",
        "windows",
    )

    def __init__(self, command: str, policy: BatchPolicy) -> None:
        self.command = command
        self.policy = policy
        self.waiting: OrderedDict[T, Waiting[T]] = OrderedDict()
        self.running: list[tuple[float, int]] = []  # (taken at, size) of the batches at workers
        self.fillers = 0  # workers that got free and wait for the lane to fill
        self.returning = 0  # clients those workers answered that are not back yet
        self.is_filling = False
        self.target = 0
        self.fill_gap_s = 0.0
        self.fill_until = 0.0
        self.fill_lapses_at = 0.0
        self.cost = BatchCost()
        self.gap_s = 0.0  # between clients that come back, once they do
        self.return_s = 0.0  # that each client takes, from the end of its batch on
        self.arrived_at = 0.0  # the last of this window; 0 before the first
        self.ended = self.windows = 0
        self.is_formed = False  # the next batch, see `form_next`
        self.late = 0.0  # tasks that came after that, of late
        self.late_now = 0
        self.came_at = self.freed_at = 0.0  # the newest task, the batch that ended last
        self.freed_size = 0  # of that batch
        self.gone = 0  # tasks that workers took
        self.gone_before = 0  # those, and those that waited, at the end of that batch

    def oldest(self) -> Waiting[T]:
        """The task that is taken next; the lane must not be empty."""
        return next(iter(self.waiting.values()))

    def is_ripe(self, now: float, room: int) -> bool:
        """Whether an idle worker with `room` for tasks should take from this lane."""
        return not self.is_filling or now >= self.fill_lapses_at or len(self.waiting) >= room

    def arrived(self, now: float) -> None:
        """A task was added."""
        self.came_at = now
        if self.is_formed:
            self.late_now += 1
        if not self.fillers:
            return
        if now >= self.fill_lapses_at:
            self.stop_filling()
            return
        self.returning = max(0, self.returning - 1)
        self.fill_lapses_at = min(self.fill_until, now + self.fill_gap_s)
        if self.arrived_at:
            self.gap_s += NEWS * (now - self.arrived_at - self.gap_s)
        self.arrived_at = now
        if len(self.waiting) >= self.target:
            self.is_filling = False
        elif self.is_filling and len(self.waiting) * self.gap_s > self._batch_s():
            self.stop_filling()

    def taken(self, size: int, now: float) -> None:
        """A worker took `size` tasks; another one may still wait for the lane to fill."""
        if self.policy.max_batch_size == 1:
            return
        self.running.append((now, size))
        self.gone += size
        if not self.fillers:
            return
        if self.fillers == 1 or now >= self.fill_lapses_at:
            self.stop_filling()
            return
        self.fillers -= 1
        self.aim()

    def start_filling(self, size: int, run_s: float, now: float, has_next: bool = False) -> None:
        """A worker that ran `size` tasks waits for its clients to come back, if that pays and it has no other batch."""
        self.ended += 1
        if self.is_formed:
            self.late += NEWS * (self.late_now - self.late)
            self.is_formed, self.late_now = False, 0
        self.cost.note(size, run_s)
        self._note_return(size, now)
        if self.fillers and now >= self.fill_lapses_at:
            self.stop_filling()
        self.forget_running(size, now - max(LOST_AFTER_S, 10 * run_s))
        if has_next:
            return
        gap_s = min(FILL_GAP_S, run_s * FILL_GAP_OF_RUN)
        if gap_s < FILL_GAP_MIN_S or not self.policy.max_wait_ms or not self._opens():
            return
        self.arrived_at = 0.0
        self.fillers += 1
        self.returning += size
        self.fill_gap_s = gap_s
        self.answered(now)
        self.aim()

    def answered(self, now: float) -> bool:
        """The clients of the batch that ended have their answers now, and may come back; whether a worker waits."""
        if not self.fillers:
            return False
        self.fill_until = now + self.policy.max_wait_ms / 1000
        self.fill_lapses_at = min(self.fill_until, now + self.fill_gap_s)
        return True

    def form_next(self, running: int) -> int:
        """Form what a worker runs after its batch of `running`, before that ends; the size, 0 if it is better awaited.

        Where two batches take turns, the next is as good as formed once all clients of the one before are back, unless
        it is by far the smaller or, of late, others came after that: they would have to wait for one batch more.
        """
        waiting = len(self.waiting)
        clients = waiting + running
        if not (self.policy.takes_turns and waiting and self._takes_turns(clients)):
            return 0
        if waiting < max(self.freed_size, clients / 3):
            return 0
        self.is_formed = True
        size = min(waiting, self.fair_size())
        return size if self.late <= LATE * size else 0

    def fair_size(self) -> int:
        """How many tasks a batch should take at most, so that those left behind keep the worker busy meanwhile."""
        waiting = len(self.waiting)
        clients = waiting + self.freed_size
        if waiting < self.policy.max_batch_size and self._takes_turns(clients):
            return (clients + 1) // 2
        return self.policy.max_batch_size

    def _takes_turns(self, clients: int) -> bool:
        """Whether two batches that take turns do more than one that holds all these clients.

        While a batch runs, the clients of the one before get their answers and come back. Two are better if that takes
        longer, for all of them, than a batch costs in any case.
        """
        return clients * self.return_s > self._batch_s()

    def _batch_s(self) -> float:
        """What one batch more costs; no time is too long to save it where batches are not to take turns."""
        return self.cost.fixed_s + HOP_S if self.policy.takes_turns else math.inf

    def _note_return(self, size: int, now: float) -> None:
        """A batch ended: how long did the clients of the one before take to come back, if all did?"""
        came = len(self.waiting) + self.gone - self.gone_before
        if came >= self.freed_size > 0:
            self.return_s += NEWS * (max(0.0, self.came_at - self.freed_at) / came - self.return_s)
        self.freed_at, self.freed_size = now, size
        self.gone_before = self.gone + len(self.waiting)

    def _opens(self) -> bool:
        """Whether to wait for clients at all; decided otherwise now and then, to learn whether that is still right."""
        if not self.policy.takes_turns:
            return True
        if not self.waiting or self.freed_size * self.return_s <= self._batch_s():
            self.windows += 1
            return self.cost.is_known or (self.windows not in EARLY and self.windows % EXPLORE != 0)
        return self.ended % LOOK_AGAIN == 0

    def aim(self) -> None:
        """Set the target: what may come, but only this worker's share of all clients."""
        expected = len(self.waiting) + self.returning
        clients = expected + sum(size for _, size in self.running)
        share = math.ceil(clients / (len(self.running) + self.fillers))
        if self._takes_turns(expected):
            share = min(share, (expected + 1) // 2)
        self.target = min(self.policy.max_batch_size, expected, share)
        self.is_filling = len(self.waiting) < self.target

    def stop_filling(self) -> None:
        """Close the window for good: who waited counts as idle, who is not back is not expected."""
        self.is_filling = False
        self.fillers = self.returning = 0

    def forget_running(self, size: int, lost_before: float) -> None:
        """Drop one running batch of `size`, and those that began before `lost_before`."""
        for index, (_, running_size) in enumerate(self.running):
            if running_size == size:
                del self.running[index]
                break
        if self.running and self.running[0][0] < lost_before:
            self.running = [batch for batch in self.running if batch[0] >= lost_before]
