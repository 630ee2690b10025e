"""The crew: the living workers as the front knows them, kept in step with the supervisor's snapshots.

Owned by the front's event loop. It knows nothing of queues; the dispatcher hears of every worker that joins or leaves.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from runway.arena import ArenaRoom
from runway.begun import BegunCell, cell_path
from runway.engine import Listener
from runway.exceptions import RunwayError
from runway.invocation import Invocation
from runway_serve.errors import WorkerLostError
from runway_serve.link import WorkerLink

LOST_S = 1.0  # the supervisor tells of a dead worker well before


@dataclass(eq=False, slots=True)
class Task:
    """One accepted call; `worker` is the one that runs it, None while it is queued.

    `accepted_at` is a reading of `time.perf_counter()`: uvloop's clock, which deadlines go by, counts milliseconds.
    """

    id: int
    call: Invocation
    listener: Listener
    deadline: float
    accepted_at: float
    worker: WorkerEntry | None = None


@dataclass(eq=False, slots=True)
class GivenBatch:
    """Tasks that a worker was sent in one message; it has begun all of them at once, or one after the other."""

    id: int
    command: str
    tasks: dict[int, Task]
    begins_as_one: bool

    def after(self, task_id: int) -> list[Task]:
        """The tasks that were not begun yet when this one was the last to begin."""
        tasks = list(self.tasks.values())
        return [] if self.begins_as_one else tasks[tasks.index(self.tasks[task_id]) + 1 :]


@dataclass(eq=False)
class WorkerEntry:
    """A living worker process; it runs the first of its batches, and finds the second when that one ends."""

    name: str
    pid: int
    link: WorkerLink
    begun: BegunCell
    generation: int
    batches: deque[GivenBatch] = field(default_factory=deque)
    setup: asyncio.Future[RunwayError | None] | None = None
    is_reserved: bool = False
    is_condemned: bool = False  # will be killed; it may end what it was sent before that happens
    must_end_at: float | None = None
    nears_end_at: float = math.inf  # its batch is expected to end soon after that
    lanes: dict[str, int] = field(default_factory=dict)  # calls it wants at once, by command

    def unbegun(self) -> list[tuple[str, list[Task]]]:
        """Command and tasks of each batch, without those that the dead worker had begun; in order."""
        began_last = self.begun.read()
        is_begun = any(began_last in batch.tasks for batch in self.batches)
        left = []
        for batch in self.batches:
            if began_last in batch.tasks:
                left.append((batch.command, batch.after(began_last)))
                is_begun = False
            elif not is_begun:
                left.append((batch.command, list(batch.tasks.values())))
        return left

    def begun_tasks(self) -> list[Task]:
        """The tasks that it has begun and not answered as a batch."""
        unbegun = {task.id for _, tasks in self.unbegun() for task in tasks}
        return [task for task in self.given() if task.id not in unbegun]

    def given(self) -> Iterator[Task]:
        """The tasks it was sent and has not answered as a batch."""
        for batch in self.batches:
            yield from batch.tasks.values()

    def running(self, batch_id: int | None) -> GivenBatch | None:
        """The batch that it runs, if that is this one."""
        batch = self.batches[0] if self.batches else None
        return batch if batch is not None and batch.id == batch_id else None

    @property
    def is_idle(self) -> bool:
        """Whether it can be given a batch to run now."""
        return not (self.batches or self.is_reserved or self.is_condemned)

    @property
    def can_look_ahead(self) -> bool:
        """Whether it can be given a batch to run next."""
        return len(self.batches) == 1 and not (self.is_reserved or self.is_condemned)


class Crew:
    """The workers that can be given work, by name.

    Args:
        hear: called with a worker and a message of it.
        joined: called with a worker that became ready.
        left: called with a worker that is gone, and why.
        tell_supervisor: sends a message to the supervisor.
        arena: memory shared with the workers.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        hear: Callable[[WorkerEntry, Mapping[str, Any]], None],
        joined: Callable[[WorkerEntry], None],
        left: Callable[[WorkerEntry, str], None],
        tell_supervisor: Callable[[dict[str, Any]], None],
        arena: ArenaRoom | None = None,
    ) -> None:
        self._loop = loop
        self._hear = hear
        self._joined = joined
        self._left = left
        self._tell_supervisor = tell_supervisor
        self._entries: dict[str, WorkerEntry] = {}
        self._fit = 0  # every call asks how many are not condemned
        self._arena = arena
        self.snapshot: list[Mapping[str, Any]] = []  # lost workers included
        self.has_gpu = False
        self.has_failed = False

    def __iter__(self) -> Iterator[WorkerEntry]:
        return iter(self._entries.values())

    def __len__(self) -> int:
        return self._fit

    def __contains__(self, worker: WorkerEntry) -> bool:
        return self._entries.get(worker.name) is worker

    def update(self, workers: list[Mapping[str, Any]]) -> None:
        """Take the supervisor's list: connect to new workers, drop the lost ones."""
        self.snapshot = workers
        self.has_gpu = any(entry["device"]["kind"] != "cpu" for entry in workers)
        self.has_failed = all(entry["state"] == "failed" for entry in workers)
        for entry in workers:
            is_alive = entry["state"] == "ready"
            known = self._entries.get(entry["name"])
            if known is not None and (not is_alive or known.pid != entry["pid"]):
                self._drop(known, entry["reason"])
                known = None
            if is_alive and known is None:
                self._adopt(entry)

    def condemn(self, worker: WorkerEntry, reason: str, cause: str) -> None:
        """Have a worker killed, and give it no more work. What it was sent stays with it until it is gone.

        Until then it may begin the next of its calls, and nobody could tell. The log and the clients are told the
        reason; `cause` is the same in one word, for the count of restarts.
        """
        if not worker.is_condemned and worker in self:
            self._fit -= 1
        worker.is_condemned, worker.must_end_at = True, None
        told = {"op": "kill", "worker": worker.name, "pid": worker.pid}
        self._tell_supervisor({**told, "reason": reason, "cause": cause})

    def _adopt(self, entry: Mapping[str, Any]) -> None:
        def hear(message: Mapping[str, Any]) -> None:
            self._hear(worker, message)

        def broken() -> None:
            self._loop.call_later(LOST_S, self._give_up, worker)

        link = WorkerLink(entry["address"], self._loop, hear, broken, self._arena)
        begun = BegunCell(cell_path(entry["address"]))
        worker = WorkerEntry(entry["name"], entry["pid"], link, begun, entry["generation"])
        self._entries[worker.name] = worker
        self._fit += 1
        self._joined(worker)

    def _give_up(self, worker: WorkerEntry) -> None:
        """The connection to a worker broke: that of a dead one always does, and the supervisor has said so by now."""
        if worker in self:
            self.condemn(worker, "its connection to the front broke", "connection_lost")

    def _drop(self, worker: WorkerEntry, reason: str) -> None:
        del self._entries[worker.name]
        self._fit -= not worker.is_condemned
        worker.link.close()
        if worker.setup is not None and not worker.setup.done():
            worker.setup.set_result(WorkerLostError(f"Worker died during setup ({reason})."))
        self._left(worker, reason)
        worker.begun.close()
