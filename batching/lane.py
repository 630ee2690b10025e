"""One lane: the tasks of a command that wait, and when an idle worker should take them.

A worker that gets free opens a *fill window* on the lane it served: the clients it answered will
be back within a moment, and a batch taken before they are back would stay half full for ever. The
window closes when the lane holds its target, when arrivals pause, or after `max_wait_ms`; from then
on the worker counts as idle.

The target is what is queued plus what is expected back, but no more than a fair share: with two
workers that take turns, one that waited for all clients would leave the other batches of one.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

from runway_serve.batching.policy import BatchPolicy

T = TypeVar("T", bound=Hashable)

FILL_GAP_S = 0.001  # clients of a closed loop come back closer together than this
FILL_GAP_MIN_S = 0.00025  # below this a timer costs more than the fuller batch gains
FILL_GAP_OF_RUN = 0.25  # a command of 2 ms must not lose half of that by waiting
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
        "command",
        "fill_gap_s",
        "fill_lapses_at",
        "fill_until",
        "fillers",
        "is_filling",
        "policy",
        "returning",
        "running",
        "target",
        "waiting",
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

    def oldest(self) -> Waiting[T]:
        """The task that is taken next; the lane must not be empty."""
        return next(iter(self.waiting.values()))

    def is_ripe(self, now: float, room: int) -> bool:
        """Whether an idle worker with `room` for tasks should take from this lane."""
        return not self.is_filling or now >= self.fill_lapses_at or len(self.waiting) >= room

    def arrived(self, now: float) -> None:
        """A task was added while workers wait for the lane to fill."""
        if now >= self.fill_lapses_at:
            self.stop_filling()
            return
        self.returning = max(0, self.returning - 1)
        self.fill_lapses_at = min(self.fill_until, now + self.fill_gap_s)
        if len(self.waiting) >= self.target:
            self.is_filling = False

    def taken(self, size: int, now: float) -> None:
        """A worker took `size` tasks; another one may still wait for the lane to fill."""
        if self.policy.max_batch_size == 1:
            return
        self.running.append((now, size))
        if not self.fillers:
            return
        if self.fillers == 1 or now >= self.fill_lapses_at:
            self.stop_filling()
            return
        self.fillers -= 1
        self.aim()

    def start_filling(self, size: int, run_s: float, now: float) -> None:
        """A worker that ran `size` tasks waits for its clients to come back."""
        if self.fillers and now >= self.fill_lapses_at:
            self.stop_filling()
        self.forget_running(size, now - max(LOST_AFTER_S, 10 * run_s))
        gap_s = min(FILL_GAP_S, run_s * FILL_GAP_OF_RUN)
        wait_s = self.policy.max_wait_ms / 1000
        if gap_s < FILL_GAP_MIN_S or not wait_s:
            return
        self.fillers += 1
        self.returning += size
        self.fill_gap_s = gap_s
        self.fill_until = now + wait_s
        self.fill_lapses_at = min(self.fill_until, now + gap_s)
        self.aim()

    def aim(self) -> None:
        """Set the target: what may come, but only this worker's share of all clients."""
        expected = len(self.waiting) + self.returning
        clients = expected + sum(size for _, size in self.running)
        share = math.ceil(clients / (len(self.running) + self.fillers))
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
