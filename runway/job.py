"""A job: one call whose answer is fetched later or followed as it grows; `runway.jobs` keeps those of a server."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson

from runway import exchange
from runway.engine import Cancel, Engine
from runway.exceptions import RunwayError
from runway.invocation import Invocation, Output

logger = logging.getLogger(__name__)
InThread = Callable[[Callable[[], Any]], Awaitable[Any]]
RUNNING, SUCCEEDED, FAILED, CANCELLED = "running", "succeeded", "failed", "cancelled"
FOLLOWER_EVENTS = 32  # that wait for a slow reader; it misses older outputs, but never the end


@dataclass(frozen=True)
class JobEvent:
    """Something that happened to a job, with its JSON text."""

    kind: str
    text: bytes


class Job:
    """One call, from its acceptance to its end; `output` is the JSON text of the newest output.

    Args:
        on_change: called after each output and at the end; what it raises fails the job.
    """

    def __init__(
        self, call: exchange.Call, in_thread: InThread, on_change: Callable[[Job], None]
    ) -> None:
        self.id = secrets.token_urlsafe(16)  # who knows it may read and cancel: not to be guessed
        self.status = RUNNING
        self.progress: float | None = None
        self.output: bytes | None = None
        self._call = call
        self._in_thread = in_thread
        self._on_change = on_change
        self._error: dict[str, Any] = {}
        self._began = time.monotonic()
        self._elapsed_ms: int | None = None
        self._events: asyncio.Queue[Output | RunwayError] = asyncio.Queue()
        self._followers: list[asyncio.Queue[JobEvent]] = []
        self._cancel: Cancel | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def size_bytes(self) -> int:
        """What keeping it costs."""
        return len(self.output or b"")

    def start(self, engine: Engine, invocation: Invocation) -> None:
        """Submit the call. Raises `RunwayError` if it is refused."""
        loop = asyncio.get_running_loop()

        def relay(event: Output | RunwayError) -> None:
            loop.call_soon_threadsafe(self._events.put_nowait, event)

        engine.note_command(self._call)
        self._cancel = engine.submit(invocation, relay)
        self._task = loop.create_task(self._run())

    def cancel(self) -> None:
        """End it now, if it runs."""
        if self.status == RUNNING:
            self._end(CANCELLED)
            if self._task is not None:
                self._task.cancel()

    def follow(self) -> asyncio.Queue[JobEvent]:
        """Its events from now on, the newest output and the end included if there are any; `leave` when done."""
        events: asyncio.Queue[JobEvent] = asyncio.Queue(FOLLOWER_EVENTS)
        self._followers.append(events)
        if self.output is not None:
            events.put_nowait(self._output_event())
        if self.status != RUNNING:
            events.put_nowait(self._last_event())
        return events

    def leave(self, events: asyncio.Queue[JobEvent]) -> None:
        """Nobody reads these events any more."""
        self._followers.remove(events)

    def to_json(self) -> bytes:
        """The object that `GET /jobs/<id>` shows."""
        output = None if self.output is None else orjson.Fragment(self.output)
        return exchange.dumps(
            {
                "id": self.id,
                "command": self._call.command.name,
                "status": self.status,
                "progress": self.progress,
                "timeElapsed": self._elapsed_ms,
                "outputData": output,
                **self._error,
            }
        )

    async def _run(self) -> None:
        try:
            while (event := await self._events.get()) is not None:
                if isinstance(event, RunwayError):
                    raise event
                if event.value is not None:
                    self.output = await self._in_thread(partial(self._call.written, event))
                    self.progress = event.progress
                    self._on_change(self)
                    self._tell(self._output_event())
                if event.final:
                    break
            self._cancel = None
            self._end(SUCCEEDED)
        except RunwayError as error:
            self._fail(error)
        except Exception:
            logger.exception("job of %s failed", self._call.command.name)
            self._fail(RunwayError("Internal server error."))

    def _fail(self, error: RunwayError) -> None:
        self._error = {
            "code": error.code,
            "traceback": [],
            **exchange.failure_body(error, self._call.request_id),
        }
        self._end(FAILED)

    def _end(self, status: str) -> None:
        self.status = status
        self._elapsed_ms = round((time.monotonic() - self._began) * 1000)
        if self._cancel is not None:
            self._cancel()
            self._cancel = None
        if status != SUCCEEDED:
            self.output = None
        self._tell(self._last_event())
        self._on_change(self)

    def _tell(self, event: JobEvent) -> None:
        for events in self._followers:
            if events.full():
                events.get_nowait()
            events.put_nowait(event)

    def _output_event(self) -> JobEvent:
        assert self.output is not None
        shown = {"progress": self.progress, "outputData": orjson.Fragment(self.output)}
        return JobEvent("output", exchange.dumps(shown))

    def _last_event(self) -> JobEvent:
        return JobEvent(
            self.status, exchange.dumps({"timeElapsed": self._elapsed_ms, **self._error})
        )
