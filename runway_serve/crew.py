"""The crew: the living workers as the front knows them, kept in step with the supervisor's snapshots.

Owned by the front's event loop. It knows nothing of queues; the dispatcher hears of every worker that joins or leaves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import zmq

from runway.arena import ArenaRoom
from runway.begun import BegunCell, cell_path
from runway.engine import Listener
from runway.exceptions import RunwayError
from runway.execution import Invocation
from runway_serve.errors import WorkerLostError
from runway_serve.link import WorkerLink


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


@dataclass(eq=False)
class WorkerEntry:
    """A living worker process; `batch_id` is the batch it runs, None when it runs none."""

    name: str
    pid: int
    link: WorkerLink
    begun: BegunCell
    generation: int
    running: dict[int, Task] = field(default_factory=dict)
    command: str = ""
    begins_as_one: bool = False
    batch_id: int | None = None
    setup: asyncio.Future[RunwayError | None] | None = None
    is_reserved: bool = False
    must_end_at: float | None = None
    lanes: dict[str, int] = field(default_factory=dict)  # calls it wants at once, by command

    def unbegun(self) -> list[Task]:
        """The running tasks that the dead worker never began, oldest first; a batch begins as one."""
        tasks = list(self.running.values())
        began_last = self.running.get(self.begun.read())
        if began_last is None:
            return tasks
        return [] if self.begins_as_one else tasks[tasks.index(began_last) + 1 :]

    @property
    def is_idle(self) -> bool:
        """Whether it can be given a batch now."""
        return self.batch_id is None and not self.is_reserved


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
        self._context: zmq.Context[Any] = zmq.Context()
        self._entries: dict[str, WorkerEntry] = {}
        self._arena = arena
        self._condemned: dict[
            int, WorkerLink
        ] = {}  # keeps what a process that still dies may write into
        self.snapshot: list[Mapping[str, Any]] = []  # lost workers included
        self.has_gpu = False
        self.has_failed = False

    def __iter__(self) -> Iterator[WorkerEntry]:
        return iter(self._entries.values())

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, worker: WorkerEntry) -> bool:
        return self._entries.get(worker.name) is worker

    def update(self, workers: list[Mapping[str, Any]]) -> None:
        """Take the supervisor's list: connect to new workers, drop the lost ones."""
        self.snapshot = workers
        self.has_gpu = any(entry["device"]["kind"] != "cpu" for entry in workers)
        self.has_failed = all(entry["state"] == "failed" for entry in workers)
        alive = {entry["pid"] for entry in workers}
        self._condemned = {p: link for p, link in self._condemned.items() if p in alive}
        for entry in workers:
            is_alive = entry["state"] == "ready" and entry["pid"] not in self._condemned
            known = self._entries.get(entry["name"])
            if known is not None and (not is_alive or known.pid != entry["pid"]):
                self._drop(known, entry["reason"])
                known = None
            if is_alive and known is None:
                self._adopt(entry)

    def condemn(self, worker: WorkerEntry, reason: str, cause: str) -> None:
        """Have a worker killed, and use it no more: snapshots may still call it ready for a moment.

        The log and the clients are told the reason; `cause` is the same in one word, for the count of restarts.
        """
        self._condemned[worker.pid] = worker.link
        told = {"op": "kill", "worker": worker.name, "reason": reason, "cause": cause}
        self._tell_supervisor(told)
        self._drop(worker, reason)

    def _adopt(self, entry: Mapping[str, Any]) -> None:
        def hear(message: Mapping[str, Any]) -> None:
            self._hear(worker, message)

        link = WorkerLink(self._context, entry["address"], self._loop, hear, self._arena)
        begun = BegunCell(cell_path(entry["address"]))
        worker = WorkerEntry(entry["name"], entry["pid"], link, begun, entry["generation"])
        self._entries[worker.name] = worker
        self._joined(worker)

    def _drop(self, worker: WorkerEntry, reason: str) -> None:
        del self._entries[worker.name]
        worker.link.close()
        if worker.setup is not None and not worker.setup.done():
            worker.setup.set_result(WorkerLostError(f"Worker died during setup ({reason})."))
        self._left(worker, reason)
        worker.begun.close()
