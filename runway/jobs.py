"""Jobs: calls whose answer is fetched later or followed as it grows. Everything belongs to one event loop.

`runway.job_routes` speaks HTTP for them; the model is met through the engine, so they are the same under `runway.run()`
and `runway-serve`. They live in memory and end with the process that serves HTTP.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from runway import exchange
from runway.engine import Engine
from runway.exceptions import Refusal, RunwayError
from runway.invocation import Invocation
from runway.job import RUNNING, InThread, Job


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
