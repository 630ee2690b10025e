"""Calls whose time is over: told so while they run, and their workers killed where the operator set a limit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Container
from time import monotonic

from runway.exceptions import RunwayError
from runway.messages import CancelTasks
from runway_serve.config import FrontConfig
from runway_serve.crew import Crew, Task, WorkerEntry
from runway_serve.errors import DeadlineError

SWEEP_S = 0.1  # how late a running call may be told that its time is over
AWAY_S = 0.5  # a sweep so late says that the front itself did not run; what workers said meanwhile is not read yet


class Deadlines:
    """Looks at what the workers run, every `SWEEP_S` while they run something. Owned by the event loop.

    Args:
        crew: the living workers.
        accepted: the ids of the tasks that have no outcome yet.
        settle: ends a task with an error.
    """

    def __init__(
        self,
        config: FrontConfig,
        loop: asyncio.AbstractEventLoop,
        crew: Crew,
        accepted: Container[int],
        settle: Callable[[Task, RunwayError], None],
    ) -> None:
        self._config = config
        self._loop = loop
        self._crew = crew
        self._accepted = accepted
        self._settle = settle
        self._sweeper: asyncio.TimerHandle | None = None
        self._sweep_due = 0.0

    def begin(self, worker: WorkerEntry, now: float) -> None:
        """A worker begins a batch."""
        limit_s = self._config.command_timeout_s
        batch = worker.batches[0]
        is_side_by_side = worker.lanes.get(batch.command, 1) > 1
        calls = len(batch.tasks) if is_side_by_side else 1
        worker.must_end_at = None if limit_s is None else now + limit_s * calls
        if self._sweeper is None:
            self._plan_sweep(now)

    def too_late(self, task: Task, what: str) -> DeadlineError:
        """The error of a call that waited or ran for too long."""
        limit = f"{self._config.request_timeout_s:g} s (--request-timeout)"
        if task.call.timeout_s is not None:
            limit = f"{task.call.timeout_s:g} s (--job-timeout)"
        return DeadlineError(f"The call {what} longer than the limit of {limit}.")

    def _plan_sweep(self, now: float) -> None:
        self._sweep_due = now + SWEEP_S
        self._sweeper = self._loop.call_later(SWEEP_S, self._sweep)

    def _sweep(self) -> None:
        now = monotonic()
        self._sweeper = None
        if now > self._sweep_due + AWAY_S:
            self._plan_sweep(now)
            return
        for worker in list(self._crew):
            if worker.must_end_at is not None and now >= worker.must_end_at:
                self._kill_late(worker)
                continue
            late = [t for t in worker.given() if t.id in self._accepted and now >= t.deadline]
            for task in late:
                self._settle(task, self.too_late(task, "ran"))
            if late:
                worker.link.send(CancelTasks([task.id for task in late]).to_wire())
        if any(worker.batches for worker in self._crew):
            self._plan_sweep(now)

    def _kill_late(self, worker: WorkerEntry) -> None:
        limit = f"{self._config.command_timeout_s:g} s (--command-timeout)"
        error = DeadlineError(f"The command ran longer than the limit of {limit}.")
        batch = worker.batches[0]
        for task in worker.begun_tasks():
            self._settle(task, error)
        reason = f"command {batch.command} ran longer than {limit}"
        self._crew.condemn(worker, reason, "command_timeout")
