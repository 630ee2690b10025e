"""Queue of tasks: one lane a command, taken when a worker is idle.

The dispatcher of the front puts tasks and takes batches. Nothing here reads a clock or a socket:
`now` (seconds, any origin) is an argument, so every rule can be tested with plain numbers.

A request that meets an idle worker goes at once. While workers are busy the lane fills. A worker
that gets free waits a moment for the clients it just answered (`lane.py`: how many, how long).
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from runway_serve.batching.lane import Lane, Waiting
from runway_serve.batching.policy import BatchPolicy

T = TypeVar("T", bound=Hashable)

HEAP_SLACK = 64  # deadlines of tasks that left are swept out when they outnumber the others by this


class LaneFullError(Exception):
    """The lane of a command has no room; the client should come back later."""

    code = 503

    def __init__(self, command: str, max_queue: int) -> None:
        super().__init__(f"{command} has {max_queue} tasks waiting already, try again later")
        self.command = command
        self.max_queue = max_queue


@dataclass(slots=True)
class Batch(Generic[T]):
    """Tasks of one command, oldest first, for one worker."""

    command: str
    tasks: list[T]


class BatchQueue(Generic[T]):
    """Bounded lanes with deadlines; owned by one thread, the dispatcher's.

    Every batch taken ends in one call of `freed`, or of `requeue` if no worker began it. Tasks are
    hashable and wait at most once at a time. The time of an operation does not depend on the number
    of tasks, but for the logarithm a deadline costs; `take` looks at each command once.
    """

    def __init__(
        self, policies: Mapping[str, BatchPolicy], default: BatchPolicy | None = None
    ) -> None:
        self._default = default or BatchPolicy()
        self._lanes: dict[str, Lane[T]] = {
            command: Lane(command, policy) for command, policy in policies.items()
        }
        self._waiting: dict[T, Waiting[T]] = {}
        self._deadlines: list[tuple[float, int, Waiting[T]]] = []  # heap; may hold tasks that left
        self._puts = 0  # breaks ties of equal deadlines

    def put(self, command: str, task: T, now: float, deadline: float | None = None) -> None:
        """Add `task` at the end of its lane.

        Raises:
            LaneFullError: `max_queue` tasks wait for this command.
            ValueError: the task waits already.
        """
        lane = self._lanes.get(command) or self._lane(command)
        if len(lane.waiting) >= lane.policy.max_queue:
            raise LaneFullError(command, lane.policy.max_queue)
        self._add(lane, task, now, deadline)
        lane.arrived(now)

    def set_policy(self, command: str, policy: BatchPolicy) -> None:
        """From now on the lane of a command goes by another policy."""
        lane = self._lane(command)
        lane.policy = policy
        if policy.max_batch_size == 1:
            lane.stop_filling()

    def policy(self, command: str) -> BatchPolicy:
        """What the lane of a command goes by."""
        return self._lane(command).policy

    def take(self, now: float, limit: Callable[[str], int] | None = None) -> Batch[T] | None:
        """Batch for a worker that is idle, or None while no lane is ripe.

        Of the ripe lanes the one whose oldest task waited longest is taken. Tasks past their
        deadline are handed out too: call `expire` first.

        Args:
            now: seconds.
            limit: how many tasks of a command the worker can take; 0 skips the lane.
        """
        chosen: Lane[T] | None = None
        chosen_at = math.inf
        size = 0
        for lane in self._lanes.values():
            if not lane.waiting:
                continue
            queued_at = lane.oldest().queued_at
            if queued_at >= chosen_at:
                continue
            room = lane.fair_size()
            if limit is not None:
                room = min(room, limit(lane.command))
            if room > 0 and lane.is_ripe(now, room):
                chosen, chosen_at, size = lane, queued_at, room
        return self._taken(chosen, size, now) if chosen is not None else None

    def take_more(self, command: str, count: int, now: float) -> list[T]:
        """Up to `count` further tasks of a command, oldest first, for a worker that runs them one by one."""
        lane = self._lanes[command]
        count = min(count, len(lane.waiting))
        return self._taken(lane, count, now).tasks if count > 0 else []

    def freed(
        self, command: str, size: int, run_s: float, now: float, has_next: bool = False
    ) -> None:
        """A worker finished a batch of `size` tasks after `run_s` and waits for the lane to fill, if that pays.

        Call it before `take`, also when the worker died over the batch. `has_next`: it has its next batch already.
        """
        lane = self._lane(command)
        if lane.policy.max_batch_size > 1:
            lane.start_filling(size, run_s, now, has_next)

    def form_next(self, command: str, running: int) -> int:
        """How many tasks to send a worker whose batch of `running` is about to end; 0 if they should wait for that."""
        return self._lane(command).form_next(running)

    def expected_s(self, command: str, size: int) -> float:
        """Seconds that a batch of `size` should take, by those that ran."""
        return self._lane(command).cost.expected_s(size)

    def answered(self, command: str, now: float) -> bool:
        """The tasks of the batch that was freed last are answered: their clients may come back from now on.

        Whether that changed `next_wake`.
        """
        return self._lane(command).answered(now)

    def next_wake(self, now: float) -> float | None:
        """When to call `expire` and `take` again if nothing happens before; None: not at all."""
        wake = math.inf
        for lane in self._lanes.values():
            if lane.is_filling and lane.waiting and lane.fill_lapses_at > now:
                wake = min(wake, lane.fill_lapses_at)
        self._sweep()
        if self._deadlines:
            wake = min(wake, max(now, self._deadlines[0][0]))
        return wake if wake < math.inf else None

    def cancel(self, task: T) -> bool:
        """Remove a task; False if it does not wait (any more)."""
        entry = self._waiting.pop(task, None)
        if entry is None:
            return False
        del entry.lane.waiting[task]
        return True

    def expire(self, now: float) -> list[T]:
        """Remove and return the tasks whose deadline is not after `now`, earliest first."""
        expired = []
        while self._deadlines and self._deadlines[0][0] <= now:
            entry = heapq.heappop(self._deadlines)[2]
            if self._waiting.get(entry.task) is entry:
                self.cancel(entry.task)
                expired.append(entry.task)
        return expired

    def requeue(
        self,
        command: str,
        tasks: Sequence[T],
        now: float,
        deadlines: Sequence[float | None] | None = None,
    ) -> None:
        """Put a batch that no worker began back to the front of its lane, in order.

        The bound does not count: the tasks were accepted before.

        Args:
            command: the lane they came from.
            tasks: the batch as it was taken, or what is left of it.
            now: seconds.
            deadlines: one a task; without them the tasks no longer expire here.
        """
        lane = self._lane(command)
        lane.forget_running(len(tasks), -math.inf)
        # They came before all that wait now, so the lane is at least as old as it was.
        queued_at = min(now, lane.oldest().queued_at) if lane.waiting else now
        pairs = list(zip(tasks, deadlines or [None] * len(tasks), strict=True))
        for task, deadline in reversed(pairs):
            self._add(lane, task, queued_at, deadline)
            lane.waiting.move_to_end(task, last=False)

    def drain_all(self) -> list[T]:
        """Remove and return every task, lane by lane."""
        tasks = [task for lane in self._lanes.values() for task in lane.waiting]
        for lane in self._lanes.values():
            lane.waiting.clear()
        self._waiting.clear()
        self._deadlines.clear()
        return tasks

    def depth(self, command: str | None = None) -> int:
        """Number of tasks that wait, for one command or for all."""
        if command is None:
            return len(self._waiting)
        lane = self._lanes.get(command)
        return len(lane.waiting) if lane else 0

    def oldest_age(self, now: float) -> float:
        """Seconds the oldest task has waited; 0 without tasks."""
        ages = [now - lane.oldest().queued_at for lane in self._lanes.values() if lane.waiting]
        return max(ages, default=0.0)

    def _lane(self, command: str) -> Lane[T]:
        lane = self._lanes.get(command)
        if lane is None:
            lane = self._lanes[command] = Lane(command, self._default)
        return lane

    def _add(self, lane: Lane[T], task: T, queued_at: float, deadline: float | None) -> None:
        if task in self._waiting:
            raise ValueError(f"task {task!r} waits already")
        entry = Waiting(task, lane, queued_at, deadline)
        self._waiting[task] = lane.waiting[task] = entry
        if deadline is not None:
            self._puts += 1
            heapq.heappush(self._deadlines, (deadline, self._puts, entry))
            if len(self._deadlines) > 2 * len(self._waiting) + HEAP_SLACK:
                self._rebuild_deadlines()

    def _taken(self, lane: Lane[T], size: int, now: float) -> Batch[T]:
        tasks: list[T] = []
        while lane.waiting and len(tasks) < size:
            task, _ = lane.waiting.popitem(last=False)
            del self._waiting[task]
            tasks.append(task)
        lane.taken(len(tasks), now)
        return Batch(lane.command, tasks)

    def _sweep(self) -> None:
        """Drop tasks that left from the top of the heap, so that its top is a waiting task."""
        heap = self._deadlines
        while heap and self._waiting.get(heap[0][2].task) is not heap[0][2]:
            heapq.heappop(heap)

    def _rebuild_deadlines(self) -> None:
        self._deadlines = [
            item for item in self._deadlines if self._waiting.get(item[2].task) is item[2]
        ]
        heapq.heapify(self._deadlines)
