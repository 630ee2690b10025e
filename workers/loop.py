"""The loop inside a worker: setup, then batches from the front, one at a time, in the main thread."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import Any

from runway.arena import Arena, RoomWriter
from runway.author import files_of
from runway.batches import call_batch, has_plain_types, lasting, prepared, restored
from runway.begun import BegunCell, cell_path
from runway.codec import Packer, unpack
from runway.downloads import FilePolicy
from runway.exceptions import RunwayError
from runway.exchange import with_text
from runway.execution import run_command, stream_command
from runway.invocation import Invocation, carried, detached, is_lasting
from runway.manifest import Command
from runway.messages import (
    CancelTasks,
    Coalesced,
    Outcome,
    RunBatch,
    RunSetup,
    TaskId,
    outcomes,
    read_by_worker,
    setup_done,
)
from runway.model import RunwayModel
from runway.zmtp import Peer
from runway_serve.batching.coalesce.coalescer import Coalescer
from runway_serve.workers.ahead import Ahead
from runway_serve.workers.courier import Courier
from runway_serve.workers.fronts import Fronts
from runway_serve.workers.marks import OutputMarks
from runway_serve.workers.overlap import SHORTEST_S, Overlap, Ran
from runway_serve.workers.warmup import WarmUp

logger = logging.getLogger(__name__)
Report = Callable[..., None]
Task = tuple[TaskId, Invocation]
ANSWERS = 6  # of quick calls, sent while others still run: a server that is busy anyway need not wait for all


class WorkerLoop:
    """Serves one model to whichever front asks. Everything here belongs to the main thread, but see `Courier`.

    Args:
        model: the loaded script's model.
        address: `ipc://` address to bind; only the front knows it.
        policy: which files and URLs inputs may name.
        report: tells the supervisor what happened to this worker.
        arena: memory shared with the front, for large arrays.
        warm_up: what to run after each setup.
        marks: told which calls run, for the lines that they print.
        lanes: how many calls of a command may run side by side.
    """

    def __init__(
        self,
        model: RunwayModel,
        address: str,
        policy: FilePolicy,
        report: Report,
        arena: Arena | None = None,
        warm_up: WarmUp | None = None,
        marks: OutputMarks | None = None,
        lanes: int = 1,
    ) -> None:
        self._model = model
        self._warm_up = warm_up or WarmUp(model, None)
        self._marks = marks or OutputMarks()
        self._address = address
        self._policy = policy
        self._report = report
        self._look_up = arena.at if arena is not None else None
        self._room = RoomWriter(arena)
        self._packer = Packer(place=self._room.place)
        self._inbox: deque[tuple[Peer, RunBatch | RunSetup]] = deque()
        self._cancelled: set[TaskId] = set()
        self._coalescer = Coalescer(lanes, [("log mark", self._marks.read, self._marks.write)])
        self._begun = BegunCell(cell_path(address), create=True)
        self._fronts = Fronts()
        self._courier = Courier(partial(self._receive, True, True), self._fronts.interrupt)
        self._ahead = Ahead()
        self._overlap = Overlap()

    def run(self, options: Mapping[str, Any], policy: FilePolicy | None = None) -> None:
        """Set up with `options`, then serve for ever; `policy` limits options that came from a client.

        Raises:
            RunwayError: the setup or the warm-up failed.
        """
        began = time.monotonic()
        self._model.setup_model(options, policy)
        setup_s = time.monotonic() - began
        warmup_s = self._warm_up.run()
        self._fronts.bind(self._address)
        self._report("ready", setup_s=setup_s, warmup_s=warmup_s)
        try:
            while True:
                self._receive(block=not self._inbox)
                while self._inbox:
                    front, message = self._inbox.popleft()
                    self._handle(front, message)
        finally:
            self._courier.stop()

    def _handle(self, front: Peer, message: RunBatch | RunSetup) -> None:
        if isinstance(message, RunSetup):
            self._run_setup(front, message)
        else:
            self._run_batch(front, message)
        if not self._inbox:  # else it may be the next batch that has lost a call
            self._cancelled.clear()

    def _run_setup(self, front: Peer, setup: RunSetup) -> None:
        self._courier.stop()
        error = None
        try:
            self._model.setup_model(setup.options, self._policy)
        except RunwayError as raised:
            error = carried(raised)
        else:
            self._coalescer.forget()
            self._warm_up.run_again()
        self._room.open(None)
        self._send(front, setup_done(setup.generation, error))

    def _run_batch(self, front: Peer, batch: RunBatch) -> None:
        command = self._model.manifest.command(batch.command)
        gone = self._cancelled
        tasks = [task for task in batch.tasks if task[0] not in gone] if gone else batch.tasks
        if command.is_batched and not any(call.is_stream for _, call in tasks):
            self._run_together(front, batch, command, tasks)
            return
        self._courier.stop()
        began = time.perf_counter()
        self._room.open(batch.room)
        done = self._run_side_by_side(front, command, tasks)
        self._marks.end()
        lanes = self._coalescer.wanted(command.name)
        run_s = time.perf_counter() - began
        self._send(front, outcomes(done, batch.batch_id, run_s, lanes, self._coalesced()))

    def _run_together(
        self, front: Peer, batch: RunBatch, command: Command, tasks: Sequence[Task]
    ) -> None:
        """Call a function that takes lists. Its answers are sent before the next call, or beside it."""
        calls = [call for _, call in tasks]
        self._begun.write(tasks[0][0] if tasks else 0)
        self._marks.begin(calls)
        began = self._overlap.begin()
        with files_of(command, self._policy):
            given = self._ahead.take(batch, len(tasks)) or restored(command, calls)
            returned = call_batch(command, self._model.model, given, calls)
            ended = time.perf_counter()
            del given  # outputs may be the same arrays, see `lasting`
            if not has_plain_types(command):
                returned = prepared(command, returned, calls)
        self._marks.end()
        if self._courier.stop():
            self._overlap.note_delivered(self._courier.delivered_at)
        is_long = ended - began >= SHORTEST_S
        may_overlap = is_long and self._overlap.is_wanted(command.name)
        if may_overlap and self._has_next():
            left = lasting(command, returned, calls)
            run_s = ended - began
            self._courier.start(
                lambda: self._answer(front, batch, tasks, prepared(command, left, calls), run_s)
            )
            self._overlap.note(Ran(command.name, len(tasks), began, ended))
            return
        results = prepared(command, returned, calls)
        self._answer(front, batch, tasks, results, time.perf_counter() - began)
        ran = Ran(command.name, len(tasks), began, ended, time.perf_counter())
        self._overlap.note(ran if is_long and self._has_next() else None)

    def _answer(
        self, front: Peer, batch: RunBatch, tasks: Sequence[Task], results: list[Any], run_s: float
    ) -> None:
        command = self._model.manifest.command(batch.command)
        self._room.open(batch.room)
        done = [
            Outcome(task_id, with_text(command, result, call.formats))
            for (task_id, call), result in zip(tasks, results, strict=True)
        ]
        self._send(front, outcomes(done, batch.batch_id, run_s, 1, self._coalesced()))

    def _has_next(self) -> bool:
        return bool(self._inbox) or self._receive(block=False)

    def _coalesced(self) -> Coalesced | None:
        """What the front has not been told of yet."""
        news = self._coalescer.statistics.news()
        if news is None:
            return None
        return Coalesced(news.sizes, news.alone, news.checks, news.fallbacks)

    def _run_side_by_side(
        self, front: Peer, command: Command, tasks: Sequence[Task]
    ) -> list[Outcome]:
        """The outcomes of calls, less those that were sent as other calls still ran.

        Calls begin in order, so that the begun cell tells which have begun. The model may use the memory of an answer
        again in the next call, so that an answer leaves before that, or is copied.
        """
        done: list[Outcome] = []
        left = len(tasks)
        has_lanes = self._coalescer.wanted(command.name) > 1

        def ended(_: int, outcome: Outcome | None) -> None:
            nonlocal left
            left -= 1
            if outcome is not None:
                done.append(outcome)
                if left and has_lanes:
                    outcome.event = detached(outcome.event)
                elif left and (len(done) == ANSWERS or not is_lasting(outcome.event)):
                    send()

        def send() -> None:
            if done:
                self._send(front, outcomes(done, None, 0.0))
                done.clear()

        def paused() -> None:
            self._receive(block=False)
            send()

        jobs = [partial(self._run_task, front, task_id, call) for task_id, call in tasks]
        if command.function is None or not command.may_coalesce:
            for index, job in enumerate(jobs):
                ended(index, job())
        else:
            self._coalescer.run(
                command.name, command.function, self._model.model, jobs, ended, paused
            )
        return done

    def _run_task(self, front: Peer, task_id: TaskId, call: Invocation) -> Outcome | None:
        """The last outcome of a task, None if it was cancelled; earlier ones of a stream are sent as they are made."""
        command = self._model.manifest.command(call.command)

        def is_wanted() -> bool:
            self._receive(block=False)
            return task_id not in self._cancelled

        self._begun.write(task_id)
        self._marks.begin((call,))
        try:
            if not call.is_stream:
                output = run_command(command, self._model.model, call, self._policy, is_wanted)
                if output is None:
                    return None
                return Outcome(task_id, with_text(command, output, call.formats))
            with closing(stream_command(command, self._model.model, call, self._policy)) as steps:
                for output in steps:
                    if output.final:
                        return Outcome(task_id, output)
                    outcome = Outcome(task_id, with_text(command, output, call.formats))
                    self._send(front, outcomes([outcome], None, 0.0))
                    if not is_wanted():
                        break
        except RunwayError as error:
            return Outcome(task_id, carried(error))
        return None

    def _receive(self, block: bool, is_ahead: bool = False) -> bool:
        """Take what has arrived; cancellations count at once, the rest waits in the inbox. Whether something does.

        `is_ahead`: the model runs meanwhile, and the inputs of a batch may be restored for when it has ended.
        """
        for front, frames in self._fronts.receive(block):
            try:
                message = read_by_worker(unpack(frames, self._look_up))
            except ValueError as error:
                logger.warning("worker dropped a message: %s", error)
                continue
            if isinstance(message, CancelTasks):
                self._cancelled.update(message.task_ids)
                continue
            if is_ahead and isinstance(message, RunBatch):
                self._ahead.prepare(self._model.manifest.command(message.command), message)
            self._inbox.append((front, message))
        return bool(self._inbox)

    def _send(self, front: Peer, message: dict[str, Any]) -> None:
        try:
            frames = self._packer.pack(message)
        except TypeError:
            logger.exception("worker could not pack an answer")
            raise
        self._fronts.send(front, frames)
