"""The dispatcher: the state of every task, inside the front's event loop; `feeder.py` has the queue.

It is the front's `Engine`. Every attribute belongs to the loop's thread; other threads enter through `_on_loop`.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Mapping
from threading import get_ident
from time import monotonic, perf_counter, time_ns
from typing import Any

from runway.arena import ArenaRoom, decode_into
from runway.engine import Cancel, Engine, Listener
from runway.exceptions import RunwayError
from runway.invocation import Invocation, Output
from runway.manifest import Manifest
from runway.messages import CancelTasks
from runway_serve import tally_records
from runway_serve.batching.queue import LaneFullError
from runway_serve.config import FrontConfig
from runway_serve.crew import Crew, Task, WorkerEntry
from runway_serve.deadlines import Deadlines
from runway_serve.errors import UnavailableError, WorkerLostError
from runway_serve.feeder import Feeder
from runway_serve.refusals import Refusals
from runway_serve.setup_round import SetupRounds
from runway_serve.tallies import CANCELLED, Reading, Tallies
from runway_serve.wake import Wake

DRAINED_AFTER_S = 0.1  # the last answers leave before the supervisor hears that all is done


class Dispatcher(Engine):
    """Accepts calls, has the feeder send them to workers, and settles every accepted task exactly once."""

    feeder_class = Feeder

    def __init__(
        self,
        config: FrontConfig,
        loop: asyncio.AbstractEventLoop,
        tell_supervisor: Callable[[dict[str, Any]], None],
    ) -> None:
        self._config = config
        self._request_timeout_s = config.request_timeout_s
        self._loop = loop
        self._thread = get_ident()
        self._tell_supervisor = tell_supervisor
        arena = None if config.arena_fd is None else ArenaRoom(config.arena_fd)
        decode_into(arena)
        self._crew = Crew(loop, self._hear, self._on_joined, self._on_left, tell_supervisor, arena)
        self._setups = SetupRounds(
            self._crew, loop, tell_supervisor, self._dispatch, config.setup_timeout_s
        )
        self._manifest: Manifest | None = None
        self._tasks: dict[int, Task] = {}
        self._deadlines = Deadlines(config, loop, self._crew, self._tasks, self._settle)
        self.tallies = Tallies()
        self._refusals = Refusals(self.tallies, config.max_queue)
        self._feeder = self.feeder_class(
            self._crew, self._setups, self._deadlines, self._tasks, self.tallies
        )
        self._ids = itertools.count(time_ns())  # never those of a front that ran before
        self._is_planned = self._is_draining = False
        self._wake = Wake(loop, self._dispatch)

    @property
    def manifest(self) -> Manifest:
        """The manifest that the first loaded worker sent."""
        if self._manifest is None:
            raise UnavailableError("The model is starting.")
        return self._manifest

    def status(self) -> str:
        """RUNNING when a worker serves and the last setup succeeded."""
        is_serving = len(self._crew) and not self._setups.has_failed and not self._setups.is_running
        return "RUNNING" if is_serving else "STARTING"

    @property
    def is_ready(self) -> bool:
        """Whether new calls are accepted."""
        return bool(len(self._crew)) and not self._is_draining

    def counts(self) -> dict[str, int]:
        """How many workers live, out of how many, and how many tasks wait and run."""
        return {
            "workers": len(self._crew),
            "workers_wanted": self._config.worker_count,
            "queued": self._feeder.queue.depth(),
            "running": sum(self._feeder.running().values()),
        }

    def read(self) -> Reading:
        """What `GET /metrics` shows; blocks the calling thread, which must not be the loop's."""

        async def read() -> Reading:
            self._tell_supervisor({"op": "tallies", "tallies": tally_records.record(self.tallies)})
            waiting, running = self._feeder.waiting(), self._feeder.running()
            return Reading(self.tallies.copied(), waiting, running, self._crew.snapshot)

        return asyncio.run_coroutine_threadsafe(read(), self._loop).result()

    def has_gpu(self) -> bool:
        """Whether the environment says so, or a worker has a card."""
        return super().has_gpu() or self._crew.has_gpu

    def submit(self, call: Invocation, listener: Listener) -> Cancel:
        """Queue a call; from a thread other than the loop's, refusals reach the listener."""
        if get_ident() == self._thread:
            task = self._accept(call, listener)
            return lambda: self._on_loop(self._cancel, task)
        accepted: list[Task] = []

        def accept() -> None:
            try:
                accepted.append(self._accept(call, listener))
            except RunwayError as error:
                listener(error)

        def cancel() -> None:
            for task in accepted:
                self._cancel(task)

        self._loop.call_soon_threadsafe(accept)
        return lambda: self._on_loop(cancel)

    def note_refused(self, command: str, code: int) -> None:
        """Count it for `GET /metrics`."""
        self.tallies.observe_answer(command, code)

    def check_room(self, command: str) -> None:
        """Refuse what cannot be queued."""
        if not self.is_ready:
            raise self._refusals.not_serving(command, self._is_draining)
        if not self._is_planned and self._feeder.queue.depth(command) >= self._config.max_queue:
            raise self._refusals.lane_full(command)

    def note_turned_away(self, reason: str) -> None:
        """Count it for `GET /metrics`."""
        self.tallies.refusals[reason] += 1

    def note_encoded(self, command: str, seconds: float) -> None:
        """Count it for `GET /metrics`."""
        tally = self.tallies.commands.get(command)
        if tally is not None:
            tally.encodes.add(seconds)

    def setup(self, options: Mapping[str, Any]) -> None:
        """Give all workers the new options; blocks the calling thread, which must not be the loop's."""
        self.manifest.options.decode(options)
        asyncio.run_coroutine_threadsafe(self._setups.run(options), self._loop).result()

    def update_workers(self, snapshot: Mapping[str, Any]) -> None:
        """Take the supervisor's list of workers."""
        manifests = (entry["manifest"] for entry in snapshot["workers"])
        manifest = next((wire for wire in manifests if wire is not None), None)
        if self._manifest is None and manifest is not None:
            self._learn(manifest, snapshot["tallies"])
        self._setups.learn(snapshot["generation"], snapshot["options"])
        self._crew.update(snapshot["workers"])
        if self._crew.has_failed:
            for task in self._feeder.queue.drain_all():
                self.tallies.refusals["workers_failed"] += 1
                self._settle(task, UnavailableError("Every worker failed."))
        self._dispatch()

    def drain(self) -> None:
        """Take no new calls; tell the supervisor when the last accepted one is answered."""
        self._is_draining = True
        self._check_drained()

    # -- tasks

    def _accept(self, call: Invocation, listener: Listener) -> Task:
        if not self.is_ready:
            raise self._refusals.not_serving(call.command, self._is_draining)
        now = monotonic()
        due = now + (call.timeout_s or self._request_timeout_s)
        task = Task(next(self._ids), call, listener, due, perf_counter())
        self._put(task, now)
        self._tasks[task.id] = task
        if self._is_planned:
            return task
        if len(self._tasks) == 1 and not self._feeder.is_batched(call.command):
            self._dispatch()
        else:  # calls that arrive in one turn of the loop share a message
            self._is_planned = True
            self._loop.call_soon(self._dispatch)
        return task

    def _put(self, task: Task, now: float) -> None:
        try:
            self._feeder.queue.put(task.call.command, task, now, task.deadline)
        except LaneFullError as error:
            if not self._is_planned:
                raise self._refusals.lane_full(task.call.command) from error
            self._dispatch()  # which ends the plan
            self._put(task, now)

    def _cancel(self, task: Task) -> None:
        if self._tasks.pop(task.id, None) is None:
            return
        self.tallies.observe_answer(task.call.command, CANCELLED)
        if task.worker is None:
            self._feeder.queue.cancel(task)
        else:
            task.worker.link.send(CancelTasks([task.id]).to_wire())
        self._check_drained()

    def _settle(self, task: Task, error: RunwayError) -> None:
        if self._tasks.pop(task.id, None) is not None:
            self.tallies.observe_answer(task.call.command, error.code)
            task.listener(error)

    def _dispatch(self) -> None:
        """Give ripe batches to idle workers, expire what waited too long, and plan the next look."""
        now = monotonic()
        self._is_planned = False
        for task in self._feeder.queue.expire(now):
            self._settle(task, self._deadlines.too_late(task, "waited"))
        self._feeder.feed(now)
        self._wake.plan(self._feeder.next_wake(now))

    # -- workers

    def _learn(self, wire: Mapping[str, Any], kept: Mapping[str, Any] | None) -> None:
        self._manifest = Manifest.from_wire(wire)
        self.started_at = monotonic()
        self.tallies.declare(self._manifest.commands)
        if kept is not None:
            tally_records.add(self.tallies, kept)
        self._feeder.learn(self._manifest, self._config)

    def _hear(self, worker: WorkerEntry, message: Mapping[str, Any]) -> None:
        """Take outcomes, or the end of a setup, from a worker."""
        if message["op"] == "setup_done":
            self._setups.hear(worker, message)
            return
        heard_at = monotonic()
        ended = worker.running(message["done"])
        is_awaited = ended is not None and self._feeder.queue.depth() > 0
        if is_awaited:  # the worker has its next batch while answers are written
            self._free(worker, message, heard_at)
        for outcome in message["items"]:
            task = self._tasks.get(outcome.task_id)
            if task is not None:
                self._note_outcome(task, outcome.event)
                task.listener(outcome.event)
        if ended is not None:
            if not is_awaited:
                self._free(worker, message, heard_at)
            if self._feeder.queue.answered(ended.command, monotonic()):
                self._dispatch()
            self._check_drained()

    def _note_outcome(self, task: Task, event: Output | RunwayError) -> None:
        command = task.call.command
        if isinstance(event, RunwayError):
            del self._tasks[task.id]
            self.tallies.observe_answer(command, event.code)
            return
        if event.final:
            del self._tasks[task.id]
            self.tallies.commands[command].codes[200] += 1
        if isinstance(event.value, dict):  # what came as text is short
            self._feeder.costs.note_output(command, event.value)

    def _free(self, worker: WorkerEntry, message: Mapping[str, Any], now: float) -> None:
        """The batch that a worker ran ended."""
        self._feeder.note_lanes(worker, message["lanes"], message["coalesced"])
        self._feeder.ended(worker, message["run_s"], now)
        if worker.is_reserved and not worker.batches:
            self._setups.note_freed()
        if self._feeder.queue.depth():
            self._dispatch()

    def _on_joined(self, worker: WorkerEntry) -> None:
        self._setups.join(worker)

    def _on_left(self, worker: WorkerEntry, reason: str) -> None:
        for task in self._feeder.take_back(worker, monotonic()):
            error = WorkerLostError(f"Worker died while running this request ({reason}).")
            self._settle(task, error)
        if worker.is_reserved:
            self._setups.note_freed()
        self._dispatch()
        self._check_drained()

    def _check_drained(self) -> None:
        if self._is_draining and not self._tasks:
            self._loop.call_later(DRAINED_AFTER_S, self._tell_supervisor, {"op": "drained"})

    def _on_loop(self, function: Callable[..., Any], *arguments: Any) -> None:
        if get_ident() == self._thread:
            function(*arguments)
        else:
            self._loop.call_soon_threadsafe(function, *arguments)
