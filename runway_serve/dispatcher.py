"""The dispatcher: the queue, the task states and the choice of workers, inside the front's event loop.

It is the front's `Engine`. Every attribute belongs to the loop's thread; other threads enter through `_on_loop`.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

import zmq

from runway.engine import Cancel, Engine, Listener
from runway.exceptions import RunwayError, from_wire
from runway.execution import Invocation
from runway.manifest import Manifest
from runway.messages import CancelTasks, Outcome, RunBatch, RunSetup
from runway_serve.batching.policy import BatchPolicy
from runway_serve.batching.queue import BatchQueue, LaneFullError
from runway_serve.config import FrontConfig
from runway_serve.errors import DeadlineError, UnavailableError, WorkerLostError
from runway_serve.link import WorkerLink

logger = logging.getLogger(__name__)


@dataclass(eq=False)
class Task:
    """One accepted call; `batch_of` names the worker that runs it."""

    id: int
    call: Invocation
    listener: Listener
    deadline: float
    batch_of: WorkerEntry | None = None


@dataclass(eq=False)
class WorkerEntry:
    """A living worker process as the front knows it."""

    name: str
    pid: int
    link: WorkerLink
    generation: int
    running: dict[int, Task] = field(default_factory=dict)
    command: str = ""
    batch_id: int | None = None
    setup: asyncio.Future[RunwayError | None] | None = None
    is_reserved: bool = False
    killer: asyncio.TimerHandle | None = None

    @property
    def is_idle(self) -> bool:
        """Whether it can be given a batch now."""
        return self.batch_id is None and self.setup is None and not self.is_reserved


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
        self._tell_supervisor = tell_supervisor
        self._context: zmq.Context[Any] = zmq.Context()
        self._manifest: Manifest | None = None
        self._queue: BatchQueue[Task] = BatchQueue({})
        self._tasks: dict[int, Task] = {}
        self._ids = itertools.count(1)
        self._batch_ids = itertools.count(1)
        self._workers: dict[str, WorkerEntry] = {}
        self._condemned: set[int] = set()
        self._generation = 0
        self._setup_failed = False
        self._setup_turn = asyncio.Lock()
        self._freed: asyncio.Event = asyncio.Event()
        self._wake: asyncio.TimerHandle | None = None
        self._is_draining = False
        self.is_running_setup = False

    # -- Engine

    @property
    def manifest(self) -> Manifest:
        """The manifest that the first loaded worker sent."""
        if self._manifest is None:
            raise UnavailableError("The model is starting.")
        return self._manifest

    def status(self) -> str:
        """RUNNING when a worker of the current generation serves."""
        is_serving = self._has_workers() and not self._setup_failed and not self.is_running_setup
        return "RUNNING" if is_serving else "STARTING"

    @property
    def is_ready(self) -> bool:
        """Whether new commands are accepted."""
        return self._has_workers() and not self._is_draining

    def counts(self) -> dict[str, int]:
        """How many workers live, out of how many, and how many tasks wait and run."""
        running = sum(len(worker.running) for worker in self._workers.values())
        return {
            "workers": len(self._workers),
            "workers_wanted": self._config.worker_count,
            "queued": self._queue.depth(),
            "running": running,
        }

    def has_gpu(self) -> bool:
        """Whether the environment says so, or a worker has a card."""
        return super().has_gpu() or self._any_gpu

    _any_gpu = False

    def submit(self, call: Invocation, listener: Listener) -> Cancel:
        """Queue a call; from a thread other than the loop's, refusals reach the listener."""
        if asyncio._get_running_loop() is self._loop:
            task = self._accept(call, listener)
            return lambda: self._on_loop(self._cancel, task)
        holder: list[Task] = []

        def accept() -> None:
            try:
                holder.append(self._accept(call, listener))
            except RunwayError as error:
                listener(error)

        self._loop.call_soon_threadsafe(accept)

        def cancel() -> None:
            for task in holder:
                self._cancel(task)

        return lambda: self._on_loop(cancel)

    def setup(self, options: Mapping[str, Any]) -> None:
        """Give all workers the new options: one goes first, the others follow when it succeeded."""
        work: Coroutine[Any, Any, None] = self._setup_all(options)
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    # -- tasks

    def _accept(self, call: Invocation, listener: Listener) -> Task:
        if self._is_draining:
            raise UnavailableError("The server is stopping.")
        if not self._has_workers():
            raise UnavailableError("No worker is ready yet.")
        now = self._loop.time()
        task = Task(next(self._ids), call, listener, now + self._config.request_timeout_s)
        try:
            self._queue.put(call.command, task, now, task.deadline)
        except LaneFullError as error:
            raise UnavailableError(
                f"{self._config.max_queue} calls of {call.command} are waiting already."
            ) from error
        self._tasks[task.id] = task
        self._dispatch()
        return task

    def _cancel(self, task: Task) -> None:
        if self._tasks.pop(task.id, None) is None:
            return
        if task.batch_of is None:
            self._queue.cancel(task)
        else:
            task.batch_of.link.send(CancelTasks([task.id]).to_wire())
        self._check_drained()

    def _settle(self, task: Task, error: RunwayError) -> None:
        if self._tasks.pop(task.id, None) is not None:
            task.listener(error)

    def _dispatch(self) -> None:
        """Give ripe batches to idle workers, expire what waited too long, and plan the next look."""
        now = self._loop.time()
        for task in self._queue.expire(now):
            self._settle(task, self._too_late("waited in the queue"))
        for worker in self._workers.values():
            if not worker.is_idle or worker.generation != self._generation:
                continue
            batch = self._queue.take(now)
            if batch is None:
                break
            self._give(worker, batch.command, list(batch.tasks))
        if self._wake is not None:
            self._wake.cancel()
        due = self._queue.next_wake(now)
        self._wake = None if due is None else self._loop.call_at(due, self._dispatch)

    def _give(self, worker: WorkerEntry, command: str, tasks: list[Task]) -> None:
        worker.batch_id, worker.command = next(self._batch_ids), command
        worker.running = {task.id: task for task in tasks}
        for task in tasks:
            task.batch_of = worker
            self._loop.call_at(task.deadline, self._expire_running, task)
        pairs = [(task.id, task.call) for task in tasks]
        worker.link.send(RunBatch(worker.batch_id, command, pairs).to_wire())
        if self._config.command_timeout_s is not None:
            worker.killer = self._loop.call_later(
                self._config.command_timeout_s, self._kill, worker, worker.batch_id
            )

    def _expire_running(self, task: Task) -> None:
        if task.id in self._tasks:
            self._settle(task, self._too_late("ran"))
            assert task.batch_of is not None
            task.batch_of.link.send(CancelTasks([task.id]).to_wire())

    def _too_late(self, what: str) -> DeadlineError:
        return DeadlineError(
            f"The call {what} longer than the limit of {self._config.request_timeout_s:g} s (--request-timeout)."
        )

    def _kill(self, worker: WorkerEntry, batch_id: int) -> None:
        if worker.batch_id != batch_id:
            return
        limit = f"{self._config.command_timeout_s:g} s (--command-timeout)"
        for task in worker.running.values():
            self._settle(task, DeadlineError(f"The command ran longer than the limit of {limit}."))
        reason = f"command {worker.command} ran longer than {limit}"
        self._condemn(worker, reason)

    # -- workers

    def hear_worker(self, worker: WorkerEntry, message: Mapping[str, Any]) -> None:
        """Take outcomes or the end of a setup from a worker."""
        if message["op"] == "setup_done":
            if worker.setup is not None and not worker.setup.done():
                error = message["error"]
                worker.setup.set_result(None if error is None else from_wire(error))
            return
        for item in message["items"]:
            outcome = Outcome.from_wire(item)
            task = self._tasks.get(outcome.task_id)
            if task is None:
                continue
            if isinstance(outcome.event, RunwayError) or outcome.event.final:
                del self._tasks[outcome.task_id]
            task.listener(outcome.event)
        if message["done"] is not None and message["done"] == worker.batch_id:
            size = len(worker.running)
            self._release(worker)
            self._queue.freed(worker.command, size, message["run_s"], self._loop.time())
            self._dispatch()
            self._check_drained()

    def _release(self, worker: WorkerEntry) -> None:
        worker.batch_id, worker.running = None, {}
        if worker.killer is not None:
            worker.killer.cancel()
        self._freed.set()

    def update_workers(self, snapshot: Mapping[str, Any]) -> None:
        """Take the supervisor's list of workers: connect to new ones, drop the lost ones."""
        for entry in snapshot["workers"]:
            if entry["manifest"] is not None and self._manifest is None:
                self._learn(entry["manifest"])
            self._any_gpu |= entry["device"]["kind"] != "cpu"
            known = self._workers.get(entry["name"])
            is_alive = entry["state"] == "ready" and entry["pid"] not in self._condemned
            if known is not None and (not is_alive or known.pid != entry["pid"]):
                self._lose(known, entry["reason"])
                known = None
            if is_alive and known is None:
                self._adopt(entry)
        self._generation = max(self._generation, snapshot["generation"])
        if not self._has_workers() and all(w["state"] == "failed" for w in snapshot["workers"]):
            self._refuse_all("Every worker failed.")
        self._dispatch()

    def _learn(self, wire: Mapping[str, Any]) -> None:
        self._manifest = Manifest.from_wire(wire)
        self.started_at = self._loop.time()
        config = self._config
        policies = {}
        for name, command in self._manifest.commands.items():
            size = min(command.max_batch_size, config.max_batch_size or command.max_batch_size)
            wait_ms = command.max_wait_ms
            if config.max_wait_ms is not None:
                wait_ms = min(wait_ms, config.max_wait_ms)
            policies[name] = BatchPolicy(size, wait_ms, config.max_queue)
        self._queue = BatchQueue(policies)

    def _adopt(self, entry: Mapping[str, Any]) -> None:
        def hear(message: Mapping[str, Any]) -> None:
            self.hear_worker(worker, message)

        link = WorkerLink(self._context, entry["address"], self._loop, hear)
        worker = WorkerEntry(entry["name"], entry["pid"], link, entry["generation"])
        self._workers[worker.name] = worker

    def _lose(self, worker: WorkerEntry, reason: str) -> None:
        del self._workers[worker.name]
        worker.link.close()
        if worker.setup is not None and not worker.setup.done():
            worker.setup.set_result(WorkerLostError(f"Worker died during setup ({reason})."))
        for task in worker.running.values():
            self._settle(
                task, WorkerLostError(f"Worker died while running this request ({reason}).")
            )
        self._release(worker)
        self._check_drained()

    def _condemn(self, worker: WorkerEntry, reason: str) -> None:
        """Have a worker killed, and use it no more: snapshots may still call it ready for a moment."""
        self._condemned.add(worker.pid)
        self._tell_supervisor({"op": "kill", "worker": worker.name, "reason": reason})
        self._lose(worker, reason)

    def _refuse_all(self, text: str) -> None:
        for task in self._queue.drain_all():
            self._settle(task, UnavailableError(text))

    def _has_workers(self) -> bool:
        return bool(self._workers)

    # -- setup

    async def _setup_all(self, options: Mapping[str, Any]) -> None:
        async with self._setup_turn:
            self.is_running_setup = True
            try:
                await self._setup_in_turn(options)
            except RunwayError:
                self._setup_failed = True
                raise
            finally:
                self.is_running_setup = False
                self._dispatch()
            self._setup_failed = False

    async def _setup_in_turn(self, options: Mapping[str, Any]) -> None:
        if not self._workers:
            raise UnavailableError("No worker is ready yet.")
        generation = self._generation + 1
        idle_first = sorted(self._workers.values(), key=lambda worker: not worker.is_idle)
        first, others = idle_first[0], idle_first[1:]
        error = await self._setup_one(first, generation, options)
        if error is not None:
            raise error
        self._generation = generation
        self._tell_supervisor(
            {
                "op": "options",
                "generation": generation,
                "options": dict(options),
                "workers": [first.name],
            }
        )
        results = await asyncio.gather(
            *(self._setup_one(worker, generation, options) for worker in others)
        )
        done = [first.name]
        for worker, failed in zip(others, results, strict=True):
            if failed is None:
                done.append(worker.name)
            elif self._workers.get(worker.name) is worker:
                self._condemn(worker, failed.message)
        self._tell_supervisor(
            {"op": "options", "generation": generation, "options": dict(options), "workers": done}
        )

    async def _setup_one(
        self, worker: WorkerEntry, generation: int, options: Mapping[str, Any]
    ) -> RunwayError | None:
        """Run the setup in one worker after its present batch; the error if it failed."""
        worker.is_reserved = True
        try:
            while worker.batch_id is not None:
                self._freed.clear()
                await self._freed.wait()
            if self._workers.get(worker.name) is not worker:
                return WorkerLostError("Worker died before its setup.")
            worker.setup = self._loop.create_future()
            worker.link.send(RunSetup(generation, options).to_wire())
            error = await worker.setup
            worker.setup = None
            if error is None:
                worker.generation = generation
            return error
        finally:
            worker.is_reserved = False
            self._dispatch()

    # -- end

    def drain(self) -> None:
        """Take no new calls; tell the supervisor when the last accepted one is answered."""
        self._is_draining = True
        self._check_drained()

    def _check_drained(self) -> None:
        if self._is_draining and not self._tasks:
            self._loop.call_later(0.1, self._tell_supervisor, {"op": "drained"})

    def _on_loop(self, function: Callable[..., Any], *arguments: Any) -> None:
        if asyncio._get_running_loop() is self._loop:
            function(*arguments)
        else:
            self._loop.call_soon_threadsafe(function, *arguments)
