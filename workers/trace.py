"""A worker's loop with marks at each hop of a task; used instead of the plain one while `RW_TRACE` is set."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from time import perf_counter
from typing import Any

from runway.invocation import Invocation
from runway.messages import Outcome, RunBatch, TaskId
from runway.trace import Marks, TraceFile, trace_file
from runway.zmtp import Peer
from runway_serve.workers.loop import WorkerLoop
from runway_serve.workers.overlap import Overlap


def make_loop(*args: Any) -> WorkerLoop:
    """A worker's loop, with marks if a trace is asked for."""
    trace = trace_file("worker")
    return WorkerLoop(*args) if trace is None else TracedLoop(trace, *args)


class TracedLoop(WorkerLoop):
    """Marks `taken`, `begun`, `called`, `returned`, `ran` and `sent`; those of one message are taken together."""

    def __init__(self, trace: TraceFile, *args: Any) -> None:
        super().__init__(*args)
        self._trace = trace
        self._overlap = Overlap(is_on=False)  # marks are of one batch at a time
        self._running: list[Marks] = []
        self._task_marks: dict[TaskId, Marks] = {}
        for command in self._model.manifest.commands.values():
            if command.function is not None and not inspect.isgeneratorfunction(command.function):
                command.function = self._marked(command.function)

    def _marked(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            called = perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                returned = perf_counter()
                for marks in self._running:
                    marks["called"], marks["returned"] = called, returned

        return run

    def _run_batch(self, front: Peer, batch: RunBatch) -> None:
        taken = perf_counter()
        self._task_marks = {task_id: {"taken": taken, "begun": taken} for task_id, _ in batch.tasks}
        self._running = list(self._task_marks.values())
        super()._run_batch(front, batch)
        for task_id, marks in self._task_marks.items():
            self._trace.add(task_id, marks)

    def _run_task(self, front: Peer, task_id: TaskId, call: Invocation) -> Outcome | None:
        marks = self._task_marks[task_id]
        marks["begun"] = perf_counter()
        self._running = [marks]
        outcome = super()._run_task(front, task_id, call)
        marks["ran"] = perf_counter()
        return outcome

    def _send(self, front: Peer, message: dict[str, Any]) -> None:
        ran = perf_counter()
        for marks in self._running:
            marks.setdefault("ran", ran)
        super()._send(front, message)
        sent = perf_counter()
        for task_id, *_ in message.get("items", ()):
            if task_id in self._task_marks:
                self._task_marks[task_id]["sent"] = sent
