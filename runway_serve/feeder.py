"""The feeder: which tasks a worker is sent, and when. It owns the queue and belongs to the front's event loop."""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Container, Mapping
from dataclasses import replace
from functools import partial

from runway.manifest import Manifest
from runway.messages import Coalesced, RunBatch
from runway_serve.batching.queue import Batch, BatchQueue
from runway_serve.config import FrontConfig
from runway_serve.crew import Crew, GivenBatch, Task, WorkerEntry
from runway_serve.deadlines import Deadlines
from runway_serve.lanes import Costs, lane_policies
from runway_serve.setup_round import SetupRounds
from runway_serve.tallies import Tallies

AHEAD_S = 0.005  # before the end of a batch the next leaves, so as to be at the worker with its inputs restored


class Feeder:
    """Forms batches of what waits and gives them to workers of the newest setup.

    Args:
        crew: the living workers.
        setups: whose generation workers must have.
        deadlines: told when a worker begins a batch.
        accepted: the ids of the tasks that have no outcome yet.
        tallies: counts batches.
    """

    def __init__(
        self,
        crew: Crew,
        setups: SetupRounds,
        deadlines: Deadlines,
        accepted: Container[int],
        tallies: Tallies,
    ) -> None:
        self._crew = crew
        self._setups = setups
        self._deadlines = deadlines
        self._accepted = accepted
        self._tallies = tallies
        self._batch_ids = itertools.count(1)
        self._batched: Mapping[str, bool] = {}
        self._nears_end_at = math.inf  # the first of the workers to come
        self.costs = Costs()
        self.queue: BatchQueue[Task] = BatchQueue({})

    def learn(self, manifest: Manifest, config: FrontConfig) -> None:
        """The commands became known; nothing waits yet."""
        self._batched = {name: command.is_batched for name, command in manifest.commands.items()}
        self.queue = BatchQueue(lane_policies(manifest, config))

    def is_batched(self, command: str) -> bool:
        """Whether the command's function takes lists."""
        return self._batched[command]

    def waiting(self) -> dict[str, int]:
        """How many calls wait, by command."""
        return {name: self.queue.depth(name) for name in self._batched}

    def running(self) -> dict[str, int]:
        """How many calls workers have, by command."""
        counts = dict.fromkeys(self._batched, 0)
        for worker in self._crew:
            for batch in worker.batches:
                counts[batch.command] += len(batch.tasks)
        return counts

    def feed(self, now: float) -> None:
        """Give ripe batches to idle workers, and full ones to those that still run another."""
        for worker in self._crew:
            if worker.is_idle and worker.generation == self._setups.generation:
                batch = self.queue.take(now, partial(self._limit, worker))
                if batch is None:
                    break
                tasks = batch.tasks
                if self._limit(worker, batch.command) == 1:
                    tasks = self._joined_by_quick(batch, now)
                self.give(worker, batch.command, tasks, now)
        self._look_ahead(now)

    def _look_ahead(self, now: float) -> None:
        is_some_full = True
        for worker in self._crew:
            nears_end = now >= worker.nears_end_at
            is_asked = is_some_full or nears_end
            if not (
                is_asked and worker.can_look_ahead and worker.generation == self._setups.generation
            ):
                continue
            batch = self.queue.take(now, partial(self._next if nears_end else self._full, worker))
            if batch is None:
                is_some_full = False
            else:
                self.give(worker, batch.command, batch.tasks, now)

    def next_wake(self, now: float) -> float | None:
        """When to call `feed` again if nothing happens before; None: not at all."""
        wake = self.queue.next_wake(now)
        if self._nears_end_at <= now:
            ends = (worker.nears_end_at for worker in self._crew)
            self._nears_end_at = min((end for end in ends if end > now), default=math.inf)
        if self._nears_end_at < (math.inf if wake is None else wake):
            return self._nears_end_at
        return wake

    def give(self, worker: WorkerEntry, command: str, tasks: list[Task], now: float) -> None:
        """Send a worker a batch."""
        tasks_by_id = {task.id: task for task in tasks}
        batch = GivenBatch(next(self._batch_ids), command, tasks_by_id, self._batched[command])
        worker.batches.append(batch)
        self._tallies.commands[command].note_given(tasks)
        for task in tasks:
            task.worker = worker
        pairs = [(task.id, task.call) for task in tasks]
        room = worker.link.lease_room(self.costs.output_bytes(command) * len(tasks))
        if worker.batches[0] is batch:
            self._begin(worker, now)
        worker.link.send(RunBatch(batch.id, command, pairs, room).to_wire())

    def ended(self, worker: WorkerEntry, run_s: float, now: float) -> None:
        """The batch that a worker ran ended; it goes on with the next one if it has it."""
        batch = worker.batches.popleft()
        worker.link.release()
        self._tallies.commands[batch.command].runs.add(run_s)
        self.costs.note(batch.command, len(batch.tasks), run_s)
        has_next = bool(worker.batches)
        self.queue.freed(batch.command, len(batch.tasks), run_s, now, has_next)
        worker.must_end_at, worker.nears_end_at = None, math.inf
        if has_next:
            self._begin(worker, now)

    def _begin(self, worker: WorkerEntry, now: float) -> None:
        """The first of its batches begins."""
        self._deadlines.begin(worker, now)
        batch = worker.batches[0]
        if self._batched[batch.command]:
            run_s = self.queue.expected_s(batch.command, len(batch.tasks))
            worker.nears_end_at = now + run_s - AHEAD_S
            self._nears_end_at = min(self._nears_end_at, worker.nears_end_at)

    def take_back(self, worker: WorkerEntry, now: float) -> list[Task]:
        """The tasks that a dead worker had begun; what it had not goes back to the front of its lane."""
        unbegun = worker.unbegun()
        lost = set(worker.begun_tasks())
        for batch in worker.batches:
            begun = len(lost.intersection(batch.tasks.values()))
            if begun:
                self.queue.freed(batch.command, begun, 0.0, now)
        for command, tasks in reversed(unbegun):  # the oldest ends up in front
            wanted = [task for task in tasks if task.id in self._accepted]
            for task in wanted:
                task.worker = None
            deadlines = [task.deadline for task in wanted]
            self.queue.requeue(command, wanted, now, deadlines)
        worker.batches.clear()
        for command in worker.lanes:
            self._size_lane(command)
        return list(lost)

    def _joined_by_quick(self, batch: Batch[Task], now: float) -> list[Task]:
        """The tasks of a batch, and those that a worker can run behind them within a moment."""
        tasks = batch.tasks
        if tasks[0].call.is_stream:
            return tasks
        waiting = self.queue.depth(batch.command)
        room = self.costs.room(batch.command, waiting, len(self._crew))
        return [*tasks, *self.queue.take_more(batch.command, room, now)]

    def note_lanes(self, worker: WorkerEntry, lanes: int, coalesced: Coalesced | None) -> None:
        """A worker runs so many calls of its command side by side; its lane should hold as many for it.

        `coalesced` is what it tells of them, if it tells something.
        """
        command = worker.batches[0].command
        if coalesced is not None:
            self._tallies.commands[command].coalesced.add(coalesced)
        if not self._batched[command] and lanes != worker.lanes.get(command, 1):
            worker.lanes[command] = lanes
            self._size_lane(command)

    def _size_lane(self, command: str) -> None:
        size = max((worker.lanes.get(command, 1) for worker in self._crew), default=1)
        self.queue.set_policy(command, replace(self.queue.policy(command), max_batch_size=size))

    def _limit(self, worker: WorkerEntry, command: str) -> int:
        """How many tasks of this command may make a batch for the worker; the lane's policy may say fewer."""
        return sys.maxsize if self._batched[command] else worker.lanes.get(command, 1)

    def _full(self, worker: WorkerEntry, command: str) -> int:
        """How many tasks a batch for the worker holds, 0 if so many do not wait or it gets no batches."""
        size = min(self.queue.policy(command).max_batch_size, self._limit(worker, command))
        return size if size > 1 and self.queue.depth(command) >= size else 0

    def _next(self, worker: WorkerEntry, command: str) -> int:
        """How many tasks a worker whose batch is about to end may be sent already."""
        full, running = self._full(worker, command), worker.batches[0]
        if full or running.command != command:
            return full
        return self.queue.form_next(command, len(running.tasks))
