"""`POST /setup` over several workers: one goes first, the others follow only when it succeeded.

A round raises the generation; only workers of the current generation are given batches. Owned by the event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from runway.exceptions import RunwayError
from runway.messages import RunSetup
from runway_serve.crew import Crew, WorkerEntry
from runway_serve.errors import DeadlineError, UnavailableError, WorkerLostError


class SetupRounds:
    """Gives setup options to all workers, one round at a time.

    Args:
        crew: the living workers.
        tell_supervisor: the supervisor starts later workers with the newest options that worked.
        resume: called when workers may be given batches again.
        timeout_s: longest time for the setup of one worker.
    """

    def __init__(
        self,
        crew: Crew,
        loop: asyncio.AbstractEventLoop,
        tell_supervisor: Callable[[dict[str, Any]], None],
        resume: Callable[[], None],
        timeout_s: float,
    ) -> None:
        self._crew = crew
        self._loop = loop
        self._tell_supervisor = tell_supervisor
        self._resume = resume
        self._timeout_s = timeout_s
        self._turn = asyncio.Lock()
        self._freed = asyncio.Condition()
        self._options: Mapping[str, Any] | None = None
        self._started: set[asyncio.Task[None]] = set()
        self.generation = 0
        self.is_running = False
        self.has_failed = False

    async def run(self, options: Mapping[str, Any]) -> None:
        """Set all workers up with JSON options; returns when every living one has them.

        Raises:
            RunwayError: the first worker's setup failed; every worker keeps its old model.
        """
        async with self._turn:
            self.is_running = True
            try:
                await self._run_in_turn(options)
            except RunwayError:
                self.has_failed = True
                raise
            finally:
                self.is_running = False
                self._resume()
            self.has_failed = False

    def join(self, worker: WorkerEntry) -> None:
        """A worker that started before the last round ended gets its options before any batch."""
        if worker.generation < self.generation and self._options is not None:
            self._start(self._catch_up(worker))

    def learn(self, generation: int, options: Mapping[str, Any] | None) -> None:
        """What the supervisor remembers of rounds that a front before this one ran."""
        if generation > self.generation:
            self.generation, self._options = generation, options

    def hear(self, worker: WorkerEntry, message: Mapping[str, Any]) -> None:
        """A worker's setup ended."""
        if worker.setup is not None and not worker.setup.done():
            worker.setup.set_result(message["error"])

    def note_freed(self) -> None:
        """A worker ended its batch or is gone."""
        self._start(self._notify_freed())

    async def _notify_freed(self) -> None:
        async with self._freed:
            self._freed.notify_all()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._started.add(task)
        task.add_done_callback(self._started.discard)

    async def _run_in_turn(self, options: Mapping[str, Any]) -> None:
        if not len(self._crew):
            raise UnavailableError("No worker is ready yet.")
        generation = self.generation + 1
        living = [worker for worker in self._crew if not worker.is_condemned]
        first, *others = sorted(living, key=lambda worker: not worker.is_idle)
        error = await self._set_up(first, generation, options)
        if error is not None:
            raise error
        self.generation, self._options = generation, options
        self._announce([first])
        results = await asyncio.gather(*(self._set_up(w, generation, options) for w in others))
        for worker, failed in zip(others, results, strict=True):
            if failed is not None and worker in self._crew:
                self._crew.condemn(worker, failed.message, "setup_failed")
        self._announce([first, *(w for w in others if self._is_fit(w))])

    async def _catch_up(self, worker: WorkerEntry) -> None:
        assert self._options is not None
        failed = await self._set_up(worker, self.generation, self._options)
        if failed is not None and worker in self._crew:
            self._crew.condemn(worker, failed.message, "setup_failed")
        self._announce([worker] if self._is_fit(worker) else [])

    def _is_fit(self, worker: WorkerEntry) -> bool:
        return worker in self._crew and not worker.is_condemned

    async def _set_up(
        self, worker: WorkerEntry, generation: int, options: Mapping[str, Any]
    ) -> RunwayError | None:
        """Run the setup in one worker after its present batch; the error if it failed."""
        worker.is_reserved = True
        try:
            async with self._freed:
                await self._freed.wait_for(lambda: not worker.batches or worker not in self._crew)
            if worker not in self._crew:
                return WorkerLostError("Worker died before its setup.")
            worker.setup = self._loop.create_future()
            worker.link.send(RunSetup(generation, options).to_wire())
            try:
                error = await asyncio.wait_for(worker.setup, self._timeout_s)
            except asyncio.TimeoutError:
                return self._give_up(worker)
            if error is None:
                worker.generation = generation
            return error
        finally:
            worker.setup = None
            worker.is_reserved = False
            self._resume()

    def _give_up(self, worker: WorkerEntry) -> RunwayError:
        """Have a worker killed whose setup takes too long."""
        limit = f"{self._timeout_s:g} s (--setup-timeout)"
        if worker in self._crew:
            self._crew.condemn(worker, f"setup took longer than {limit}", "setup_timeout")
        return DeadlineError(f"The setup took longer than the limit of {limit}.")

    def _announce(self, workers: list[WorkerEntry]) -> None:
        """Tell the supervisor which options are current, and who has them."""
        assert self._options is not None
        names = [worker.name for worker in workers]
        message = {"op": "options", "generation": self.generation, "workers": names}
        self._tell_supervisor({**message, "options": dict(self._options)})
