"""The front with marks at each hop of a request; used instead of the plain classes while `RW_TRACE` is set."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter
from typing import Any

from runway import exchange
from runway.engine import Listener
from runway.exceptions import RunwayError
from runway.hot import HotExchange
from runway.invocation import Invocation, Output
from runway.trace import Marks, TraceFile
from runway_serve.crew import Task, WorkerEntry
from runway_serve.dispatcher import Dispatcher
from runway_serve.feeder import Feeder


class TracedExchange(HotExchange):
    """Marks `head`, `body`, `decoded`, `heard`, `encoded` and `written`."""

    __slots__ = ("marks", "task_id")

    def __init__(self, *args: Any) -> None:
        self.marks: Marks = {"head": perf_counter()}
        self.task_id = 0
        super().__init__(*args)

    def complete(self) -> None:
        """The body is whole."""
        self.marks["body"] = perf_counter()
        super().complete()

    def _submit(self, invocation: Invocation) -> None:
        self.marks["decoded"] = perf_counter()
        super()._submit(invocation)

    def _settle(self, event: Output | RunwayError) -> None:
        self.marks["heard"] = perf_counter()
        super()._settle(event)

    def _respond(self, response: exchange.Response) -> None:
        self.marks["encoded"] = perf_counter()
        super()._respond(response)
        self.marks["written"] = perf_counter()
        engine = self.hot.engine
        if self.task_id and isinstance(engine, TracedDispatcher):
            engine.trace.add(self.task_id, self.marks)


class TracedFeeder(Feeder):
    """Marks `given` and `packed`."""

    def give(self, worker: WorkerEntry, command: str, tasks: list[Task], now: float) -> None:
        """Send a worker a batch."""
        given = perf_counter()
        super().give(worker, command, tasks, now)
        packed = perf_counter()
        for task in tasks:
            asked = _exchange_of(task)
            if asked is not None:
                asked.marks["given"], asked.marks["packed"] = given, packed


class TracedDispatcher(Dispatcher):
    """Marks `received`, and has a `TracedFeeder`."""

    trace: TraceFile
    feeder_class = TracedFeeder

    def _accept(self, call: Invocation, listener: Listener) -> Task:
        task = super()._accept(call, listener)
        asked = _exchange_of(task)
        if asked is not None:
            asked.task_id = task.id
        return task

    def _hear(self, worker: WorkerEntry, message: Mapping[str, Any]) -> None:
        received = perf_counter()
        for item in message.get("items", ()):
            task = self._tasks.get(item.task_id)
            asked = None if task is None else _exchange_of(task)
            if asked is not None:
                asked.marks["received"] = received
        super()._hear(worker, message)


def traced_dispatcher(trace: TraceFile) -> type[TracedDispatcher]:
    """A dispatcher that writes to `trace`."""
    return type("TracedDispatcher", (TracedDispatcher,), {"trace": trace})


def _exchange_of(task: Task) -> TracedExchange | None:
    asked = getattr(task.listener, "__self__", None)
    return asked if isinstance(asked, TracedExchange) else None
