"""Messages between front, workers and supervisor: the only place that knows their wire form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runway.exceptions import RunwayError, from_wire
from runway.invocation import Invocation, Output

TaskId = int


@dataclass(frozen=True)
class RunBatch:
    """Front to worker: run these calls of one command."""

    batch_id: int
    command: str
    tasks: Sequence[tuple[TaskId, Invocation]]
    room: tuple[int, int] | None = None  # offset and size of shared memory for large outputs

    def to_wire(self) -> dict[str, Any]:
        """The wire dict."""
        return {
            "op": "batch",
            "id": self.batch_id,
            "command": self.command,
            "room": self.room,
            "tasks": [
                (
                    task_id,
                    call.inputs,
                    call.formats,
                    call.is_stream,
                    call.request_id,
                )
                for task_id, call in self.tasks
            ],
        }

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> RunBatch:
        """The message of a wire dict."""
        command = str(wire["command"])
        tasks = [
            (int(task_id), Invocation(command, dict(inputs), dict(formats), is_stream, request))
            for task_id, inputs, formats, is_stream, request in wire["tasks"]
        ]
        room = wire["room"]
        return cls(
            int(wire["id"]), command, tasks, None if room is None else (int(room[0]), int(room[1]))
        )


@dataclass(frozen=True)
class RunSetup:
    """Front to worker: run the setup with these options, as a client sent them."""

    generation: int
    options: Mapping[str, Any]

    def to_wire(self) -> dict[str, Any]:
        """The wire dict."""
        return {"op": "setup", "generation": self.generation, "options": dict(self.options)}


@dataclass(frozen=True)
class CancelTasks:
    """Front to worker: nobody waits for these tasks any more."""

    task_ids: Sequence[TaskId]

    def to_wire(self) -> dict[str, Any]:
        """The wire dict."""
        return {"op": "cancel", "tasks": list(self.task_ids)}


@dataclass(slots=True)
class Outcome:
    """Worker to front: an output or the error of a task."""

    task_id: TaskId
    event: Output | RunwayError

    def to_wire(self) -> tuple[Any, ...]:
        """The wire tuple."""
        if isinstance(self.event, RunwayError):
            return self.task_id, None, None, True, self.event.to_wire()
        return self.task_id, self.event.value, self.event.progress, self.event.final, None

    @classmethod
    def from_wire(cls, wire: Sequence[Any]) -> Outcome:
        """The message of a wire tuple."""
        task_id, value, progress, final, error = wire
        event = Output(value, progress, bool(final)) if error is None else from_wire(error)
        return cls(int(task_id), event)


@dataclass(frozen=True)
class Coalesced:
    """Worker to front: what became of the calls of networks since it last told; see `docs/metrics.md`.

    `sizes`: stacked runs by number of items. `alone`: calls that ran by themselves. `checks`: by whether they agreed.
    `fallbacks`: by reason.
    """

    sizes: Mapping[int, int]
    alone: int
    checks: Mapping[bool, int]
    fallbacks: Mapping[str, int]

    def to_wire(self) -> tuple[Any, ...]:
        """The wire tuple."""
        return dict(self.sizes), self.alone, dict(self.checks), dict(self.fallbacks)

    @classmethod
    def from_wire(cls, wire: Sequence[Any]) -> Coalesced:
        """The message of a wire tuple."""
        sizes, alone, checks, fallbacks = wire
        return cls(
            {int(size): int(count) for size, count in dict(sizes).items()},
            int(alone),
            {bool(agreed): int(count) for agreed, count in dict(checks).items()},
            {str(reason): int(count) for reason, count in dict(fallbacks).items()},
        )


def read_by_worker(wire: Any) -> RunBatch | RunSetup | CancelTasks:
    """The message that the front sent.

    Raises:
        ValueError: it is none.
    """
    try:
        if wire["op"] == "batch":
            return RunBatch.from_wire(wire)
        if wire["op"] == "setup":
            return RunSetup(int(wire["generation"]), dict(wire["options"]))
        if wire["op"] == "cancel":
            return CancelTasks([int(task_id) for task_id in wire["tasks"]])
    except (KeyError, TypeError, IndexError, OverflowError) as error:
        raise ValueError(f"not a message of the front: {error!r}") from error
    raise ValueError(f"not a message of the front: {wire['op']!r}")


def read_by_front(wire: Any) -> dict[str, Any]:
    """The message that a worker sent, its outcomes and its error as objects.

    Raises:
        ValueError: it is none.
    """
    try:
        if wire["op"] == "outcomes":
            items = [Outcome.from_wire(item) for item in wire["items"]]
            run_s, lanes = float(wire["run_s"]), int(wire["lanes"])
            done, news = wire["done"], wire["coalesced"]
            return {
                "op": "outcomes",
                "items": items,
                "done": None if done is None else int(done),
                "run_s": run_s,
                "lanes": lanes,
                "coalesced": None if news is None else Coalesced.from_wire(news),
            }
        if wire["op"] == "setup_done":
            error = wire["error"]
            return {
                "op": "setup_done",
                "generation": int(wire["generation"]),
                "error": None if error is None else from_wire(error),
            }
    except (KeyError, TypeError, IndexError, OverflowError) as error:
        raise ValueError(f"not a message of a worker: {error!r}") from error
    raise ValueError(f"not a message of a worker: {wire['op']!r}")


def outcomes(
    items: Sequence[Outcome],
    batch_done: int | None,
    run_s: float,
    lanes: int = 1,
    coalesced: Coalesced | None = None,
) -> dict[str, Any]:
    """Worker to front: outcomes, and the id of the batch that they complete.

    `lanes` is how many calls of that command the worker would like to get at once.
    """
    return {
        "coalesced": None if coalesced is None else coalesced.to_wire(),
        "op": "outcomes",
        "items": [item.to_wire() for item in items],
        "done": batch_done,
        "run_s": run_s,
        "lanes": lanes,
    }


def setup_done(generation: int, error: RunwayError | None) -> dict[str, Any]:
    """Worker to front: the setup of a generation ended."""
    return {
        "op": "setup_done",
        "generation": generation,
        "error": None if error is None else error.to_wire(),
    }
