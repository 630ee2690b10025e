"""The dispatcher: the queue, the task states and the choice of workers, inside the front's event loop.

It is the front's `Engine`. Every attribute belongs to the loop's thread; other threads enter through `_on_loop`.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from threading import get_ident
from typing import Any

from runway.arena import ArenaRoom, decode_into
from runway.engine import Cancel, Engine, Listener
from runway.exceptions import RunwayError
from runway.execution import Invocation
from runway.manifest import Manifest
from runway.messages import CancelTasks, Outcome, RunBatch
from runway_serve.batching.queue import BatchQueue, LaneFullError
from runway_serve.config import FrontConfig
from runway_serve.crew import Crew, Task, WorkerEntry
from runway_serve.deadlines import Deadlines
from runway_serve.errors import UnavailableError, WorkerLostError
from runway_serve.lanes import Costs, lane_policies
from runway_serve.setup_round import SetupRounds
from runway_serve.tallies import CANCELLED, Reading, Tallies

logger = logging.getLogger(__name__)

DRAINED_AFTER_S = (
    0.1  # the last answers leave the front before the supervisor hears that all is done
)


class Dispatcher(Engine):
    """Queues calls, forms batches, gives them to idle workers and settles every accepted task exactly once."""

    def __init__(
        self,
        config: FrontConfig,
        loop: asyncio.AbstractEventLoop,
        tell_supervisor: Callable[[dict[str, Any]], None],
    ) -> None:
        self._config = config
        self._loop = loop
        self._thread = get_ident()
        self._tell_supervisor = tell_supervisor
        arena = None if config.arena_fd is None else ArenaRoom(config.arena_fd, config.starts % 2)
        decode_into(arena)
        self._crew = Crew(loop, self._hear, self._on_joined, self._on_left, tell_supervisor, arena)
        self._setups = SetupRounds(
            self._crew, loop, tell_supervisor, self._dispatch, config.setup_timeout_s
        )
        self._manifest: Manifest | None = None
        self._queue: BatchQueue[Task] = BatchQueue({})
        self._tasks: dict[int, Task] = {}
        self._deadlines = Deadlines(config, loop, self._crew, self._tasks, self._settle)
        self.tallies = Tallies()
        self._ids = itertools.count(time.time_ns())  # never those of a front that ran before
        self._costs = Costs()
        self._is_planned = False
        self._batch_ids = itertools.count(1)
        self._wake: asyncio.TimerHandle | None = None
        self._notices: set[asyncio.Task[None]] = set()
        self._is_draining = False

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
            "queued": self._queue.depth(),
            "running": sum(len(worker.running) for worker in self._crew),
        }

    def read(self) -> Reading:
        """What `GET /metrics` shows; blocks the calling thread, which must not be the loop's."""

        async def read() -> Reading:
            depths = {name: self._queue.depth(name) for name in self.tallies.commands}
            running = dict.fromkeys(self.tallies.commands, 0)
            for worker in self._crew:
                if worker.batch_id is not None:
                    running[worker.command] += len(worker.running)
            return Reading(self.tallies.copied(), depths, running, self._crew.snapshot)

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

    def note_encoded(self, command: str, seconds: float) -> None:
        """Count it for `GET /metrics`."""
        self.tallies.observe_encode(command, seconds)

    def setup(self, options: Mapping[str, Any]) -> None:
        """Give all workers the new options; blocks the calling thread, which must not be the loop's."""
        self.manifest.options.decode(options)
        asyncio.run_coroutine_threadsafe(self._setups.run(options), self._loop).result()

    def update_workers(self, snapshot: Mapping[str, Any]) -> None:
        """Take the supervisor's list of workers."""
        manifests = (entry["manifest"] for entry in snapshot["workers"])
        manifest = next((wire for wire in manifests if wire is not None), None)
        if self._manifest is None and manifest is not None:
            self._learn(manifest)
        self._setups.learn(snapshot["generation"], snapshot["options"])
        self._crew.update(snapshot["workers"])
        if self._crew.has_failed:
            for task in self._queue.drain_all():
                self.tallies.refusals["workers_failed"] += 1
                self._settle(task, UnavailableError("Every worker failed."))
        self._dispatch()

    def drain(self) -> None:
        """Take no new calls; tell the supervisor when the last accepted one is answered."""
        self._is_draining = True
        self._check_drained()

    # -- tasks

    def _accept(self, call: Invocation, listener: Listener) -> Task:
        if self._is_draining:
            raise self._refusal(call, "stopping", "The server is stopping.")
        if not len(self._crew):
            raise self._refusal(call, "no_worker", "No worker is ready yet.")
        now = self._loop.time()
        due = now + self._config.request_timeout_s
        task = Task(next(self._ids), call, listener, due, time.perf_counter())
        try:
            self._put(task, now)
        except LaneFullError as error:
            text = f"{self._config.max_queue} calls of {call.command} are waiting already (--max-queue)."
            raise self._refusal(call, "queue_full", text) from error
        self._tasks[task.id] = task
        if self._is_planned:
            return task
        if len(self._tasks) == 1 and not self.manifest.commands[call.command].is_batched:
            self._dispatch()
        else:  # calls that arrive in one turn of the loop share a message
            self._is_planned = True
            self._loop.call_soon(self._dispatch)
        return task

    def _refusal(self, call: Invocation, reason: str, message: str) -> UnavailableError:
        self.tallies.refusals[reason] += 1
        error = UnavailableError(message)
        self.tallies.observe_answer(call.command, error.code)
        return error

    def _put(self, task: Task, now: float) -> None:
        try:
            self._queue.put(task.call.command, task, now, task.deadline)
        except LaneFullError:
            if not self._is_planned:
                raise
            self._dispatch()
            self._queue.put(task.call.command, task, now, task.deadline)

    def _cancel(self, task: Task) -> None:
        if self._tasks.pop(task.id, None) is None:
            return
        self.tallies.observe_answer(task.call.command, CANCELLED)
        if task.worker is None:
            self._queue.cancel(task)
        else:
            task.worker.link.send(CancelTasks([task.id]).to_wire())
        self._check_drained()

    def _settle(self, task: Task, error: RunwayError) -> None:
        if self._tasks.pop(task.id, None) is not None:
            self.tallies.observe_answer(task.call.command, error.code)
            task.listener(error)

    def _dispatch(self) -> None:
        """Give ripe batches to idle workers, expire what waited too long, and plan the next look."""
        now = self._loop.time()
        self._is_planned = False
        for task in self._queue.expire(now):
            self._settle(task, self._deadlines.too_late("waited"))
        for worker in self._crew:
            if not worker.is_idle or worker.generation != self._setups.generation:
                continue
            batch = self._queue.take(now, partial(self._limit, worker))
            if batch is None:
                break
            tasks = list(batch.tasks)
            if self._limit(worker, batch.command) == 1 and not tasks[0].call.is_stream:
                waiting = self._queue.depth(batch.command)
                room = self._costs.room(batch.command, waiting, len(self._crew))
                tasks += self._queue.take_more(batch.command, room, now)
            self._give(worker, batch.command, tasks, now)
        if self._wake is not None:
            self._wake.cancel()
        due = self._queue.next_wake(now)
        self._wake = None if due is None else self._loop.call_at(due, self._dispatch)

    def _limit(self, worker: WorkerEntry, command: str) -> int:
        """How many calls of a command a worker may be given as a batch."""
        if self.manifest.commands[command].is_batched:
            return sys.maxsize
        return worker.lanes.get(command, 1)

    def _note_lanes(self, worker: WorkerEntry, lanes: int) -> None:
        """A worker runs so many calls of its command side by side; the lane should hold as many for it."""
        command = worker.command
        if self.manifest.commands[command].is_batched or lanes == worker.lanes.get(command, 1):
            return
        worker.lanes[command] = lanes
        self._size_lane(command)

    def _size_lane(self, command: str) -> None:
        size = max((worker.lanes.get(command, 1) for worker in self._crew), default=1)
        policy = self._queue.policy(command)
        self._queue.set_policy(command, replace(policy, max_batch_size=size))

    def _give(self, worker: WorkerEntry, command: str, tasks: list[Task], now: float) -> None:
        worker.batch_id, worker.command = next(self._batch_ids), command
        worker.begins_as_one = self.manifest.commands[command].is_batched
        worker.running = {task.id: task for task in tasks}
        self.tallies.commands[command].note_given(tasks)
        for task in tasks:
            task.worker = worker
        pairs = [(task.id, task.call) for task in tasks]
        room = worker.link.lease_room(self._costs.output_bytes(command) * len(tasks))
        worker.link.send(RunBatch(worker.batch_id, command, pairs, room).to_wire())
        self._deadlines.begin(worker, now)

    # -- workers

    def _learn(self, wire: Mapping[str, Any]) -> None:
        self._manifest = Manifest.from_wire(wire)
        self.started_at = self._loop.time()
        self.tallies.declare(self._manifest.commands)
        self._queue = BatchQueue(lane_policies(self._manifest, self._config))

    def _hear(self, worker: WorkerEntry, message: Mapping[str, Any]) -> None:
        """Take outcomes, or the end of a setup, from a worker."""
        if message["op"] == "setup_done":
            self._setups.hear(worker, message)
            return
        for item in message["items"]:
            outcome = Outcome.from_wire(item)
            task = self._tasks.get(outcome.task_id)
            if task is None:
                continue
            event = outcome.event
            if isinstance(event, RunwayError):
                del self._tasks[task.id]
                self.tallies.observe_answer(task.call.command, event.code)
            else:
                if event.final:
                    del self._tasks[task.id]
                    self.tallies.commands[task.call.command].codes[200] += 1
                if event.value is not None:
                    self._costs.note_output(worker.command, event.value)
            task.listener(event)
        if message["done"] is not None and message["done"] == worker.batch_id:
            self.tallies.commands[worker.command].runs.add(message["run_s"])
            self._note_lanes(worker, message["lanes"])
            self._free(worker, message["run_s"])

    def _free(self, worker: WorkerEntry, run_s: float) -> None:
        """A worker's batch ended, or the worker did."""
        if worker.batch_id is not None:
            self._costs.note(worker.command, len(worker.running), run_s)
            self._queue.freed(worker.command, len(worker.running), run_s, self._loop.time())
        worker.batch_id, worker.running, worker.must_end_at = None, {}, None
        if worker in self._crew:
            worker.link.release()
        if worker.is_reserved:
            notice = self._loop.create_task(self._setups.note_freed())
            self._notices.add(notice)
            notice.add_done_callback(self._notices.discard)
        self._dispatch()
        self._check_drained()

    def _on_joined(self, worker: WorkerEntry) -> None:
        self._setups.join(worker)

    def _on_left(self, worker: WorkerEntry, reason: str) -> None:
        unbegun = [task for task in worker.unbegun() if task.id in self._tasks]
        for task in unbegun:
            task.worker = None
            del worker.running[task.id]
        for task in list(worker.running.values()):
            error = WorkerLostError(f"Worker died while running this request ({reason}).")
            self._settle(task, error)
        if unbegun:
            deadlines = [task.deadline for task in unbegun]
            self._queue.requeue(worker.command, unbegun, self._loop.time(), deadlines)
        for command in worker.lanes:
            self._size_lane(command)
        self._free(worker, 0.0)

    def _check_drained(self) -> None:
        if self._is_draining and not self._tasks:
            self._loop.call_later(DRAINED_AFTER_S, self._tell_supervisor, {"op": "drained"})

    def _on_loop(self, function: Callable[..., Any], *arguments: Any) -> None:
        if get_ident() == self._thread:
            function(*arguments)
        else:
            self._loop.call_soon_threadsafe(function, *arguments)
