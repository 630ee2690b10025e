"""Jobs: calls whose answer is fetched later or followed as it grows. Everything belongs to one event loop.

`runway.job_routes` speaks HTTP for them; the model is met through the engine, so they are the same under `runway.run()`
and `runway-serve`. They live in memory and end with the process that serves HTTP.
"""

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
from runway.exceptions import Refusal, RunwayError
from runway.execution import Invocation, Output

logger = logging.getLogger(__name__)
InThread = Callable[[Callable[[], Any]], Awaitable[Any]]
RUNNING, SUCCEEDED, FAILED, CANCELLED = "running", "succeeded", "failed", "cancelled"
FOLLOWER_EVENTS = 32  # that wait for a slow reader; it misses older outputs, but never the end


@dataclass(frozen=True)
class JobPolicy:
    """How many jobs are kept, how long after their end, and how long one may take."""

    ttl_s: float = 600.0
    max_jobs: int = 1000
    max_bytes: int = 256 << 20
    timeout_s: float = 3600.0


class TooManyJobsError(Refusal):
    """As many jobs as the server keeps are running; the client should come back later."""

    code = 503
    retry_after_s = 1.0

    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} jobs are running already (--max-jobs).")


class OutputTooLargeError(RunwayError):
    """The output of a job is larger than all that may be kept."""

    code = 507

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(
            f"The output has {size} bytes, more than the {limit} that are kept for jobs "
            "(--max-job-bytes); ask for it without Prefer: respond-async."
        )


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
                    self.output = await self._in_thread(partial(_written, self._call, event))
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


class Jobs:
    """The jobs of a server: those that run, and those that ended lately, whose results can be fetched.

    When they are more than the policy allows, those that ended first are forgotten.
    """

    def __init__(self, engine: Engine, in_thread: InThread, policy: JobPolicy) -> None:
        self._engine = engine
        self._in_thread = in_thread
        self._policy = policy
        self._running: dict[str, Job] = {}
        self._ended: dict[str, tuple[Job, asyncio.TimerHandle]] = {}  # who ended first comes first

    async def submit(
        self,
        name: str,
        headers: dict[str, str],
        body: bytes,
        request: str,
        *,
        keep: bool = True,
        max_body_bytes: int = exchange.MAX_BODY_BYTES,
    ) -> Job:
        """A job that was accepted; without `keep` it is not to be found by its id.

        Args:
            name: of the command.
            headers: of the request, names in lower case.
            body: as it came, perhaps compressed.
            request: the request's id.
            keep: for those who come back for the result.
            max_body_bytes: limit of the body once gzip is undone.

        Raises:
            RunwayError: the request is bad (400), or refused (503).
        """

        def decode() -> tuple[exchange.Call, Invocation]:
            call = exchange.open_call(self._engine.manifest, name, headers, body, max_body_bytes)
            call.request_id = request
            call.is_stream = not call.command.is_batched  # no batched function is a generator
            return call, call.decode()

        try:
            call, invocation = await self._in_thread(decode)
        except RunwayError as error:
            self._engine.note_refused(name, error.code)
            raise
        job = Job(call, self._in_thread, self._note_change if keep else _ignore)
        if keep:
            invocation.timeout_s = self._policy.timeout_s
            self._make_room_for_one(name)
        job.start(self._engine, invocation)
        if keep:
            self._running[job.id] = job
        return job

    def find(self, job_id: str) -> Job | None:
        """The job, None if there is none or it was forgotten."""
        ended = self._ended.get(job_id)
        return self._running.get(job_id) if ended is None else ended[0]

    def remove(self, job: Job) -> None:
        """Cancel it if it runs, and forget it."""
        job.cancel()
        self._forget(job.id)

    def _make_room_for_one(self, command: str) -> None:
        if len(self._running) >= self._policy.max_jobs:
            self._engine.note_refused(command, TooManyJobsError.code)
            self._engine.note_turned_away("jobs")
            raise TooManyJobsError(self._policy.max_jobs)
        while self._ended and len(self._running) + len(self._ended) >= self._policy.max_jobs:
            self._forget(next(iter(self._ended)))

    def _note_change(self, job: Job) -> None:
        if job.size_bytes > self._policy.max_bytes:
            raise OutputTooLargeError(job.size_bytes, self._policy.max_bytes)
        if job.status != RUNNING and self._running.pop(job.id, None) is not None:
            loop = asyncio.get_running_loop()
            timer = loop.call_later(self._policy.ttl_s, self._forget, job.id)
            self._ended[job.id] = (job, timer)
        self._make_room_for_outputs(job)

    def _make_room_for_outputs(self, newest: Job) -> None:
        total = sum(job.size_bytes for job in self._running.values())
        total += sum(job.size_bytes for job, _ in self._ended.values())
        for job, _ in list(self._ended.values()):
            if total <= self._policy.max_bytes:
                return
            if job is not newest:
                total -= job.size_bytes
                self._forget(job.id)

    def _forget(self, job_id: str) -> None:
        ended = self._ended.pop(job_id, None)
        if ended is not None:
            ended[1].cancel()


def _ignore(_job: Job) -> None:
    pass


def _written(call: exchange.Call, output: Output) -> bytes:
    return exchange.dumps(call.encode(output))
