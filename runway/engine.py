"""What answers commands: the `Engine` interface, and `LocalEngine` for a model in this very process.

HTTP and WebSocket code meets a model only through an engine, so it is the same under `runway.run()` and `runway-serve`.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any

from runway.exceptions import InferenceError, RunwayError, SetupError, readable
from runway.execution import run_command, stream_command
from runway.invocation import Invocation, Output, carried, detached
from runway.manifest import Manifest

if TYPE_CHECKING:
    from runway.exchange import Call
    from runway.model import RunwayModel

logger = logging.getLogger(__name__)
LONGEST_WAIT_S = 0.5  # of a thread that must handle signals
Listener = Callable[["Output | RunwayError"], None]
Cancel = Callable[[], None]
Watcher = Callable[["Call", "bytes | None"], None]


class Engine(ABC):
    """Answers commands. Methods may be called from any thread.

    `started_at` and `last_command_at` are readings of `time.monotonic()` in seconds, None before the event.
    """

    started_at: float | None = None
    last_command_at: float | None = None
    # Set while a workspace page shows the calls that come; read it once, as the page may leave at any moment.
    watch: Watcher | None = None

    @property
    @abstractmethod
    def manifest(self) -> Manifest:
        """The model's manifest. Raises `RunwayError` (503) while it is unknown."""

    @abstractmethod
    def status(self) -> str:
        """RUNNING or STARTING, as `GET /healthcheck` says it."""

    @abstractmethod
    def submit(self, call: Invocation, listener: Listener) -> Cancel:
        """Queue a call; `listener` gets its outputs in order, and at last a final one or an error, in any thread.

        The returned function cancels: the listener hears nothing more, a queued call never runs, a stream stops.

        Raises:
            RunwayError: the call is refused (503: full, or not ready).
        """

    @abstractmethod
    def setup(self, options: Mapping[str, Any]) -> None:
        """Run the setup function with options as a client sent them, and wait; the old model serves on if it fails.

        Raises:
            RunwayError: a missing or bad option (400), or the function raised (500).
        """

    def has_gpu(self) -> bool:
        """The `GPU` of `GET /meta`."""
        return os.environ.get("GPU") == "1"

    def note_command(self, call: Call | None = None) -> None:
        """A command is about to run: the clock of `millisSinceLastCommand` starts anew.

        A call lets go of its JSON, which may be a picture's, and it may wait for long; but not while a page shows it.
        """
        self.last_command_at = time.monotonic()
        if call is None:
            return
        watch = self.watch
        if watch is None:
            call.given = None
        else:
            watch(call, None)

    def note_refused(self, command: str, code: int) -> None:  # noqa: B027 - only some count
        """A call of a declared command was answered with this code before it could be submitted."""

    def check_room(self, command: str) -> None:  # noqa: B027 - only a queue can be full
        """Raise what `submit` would raise now, before work is spent on the inputs; on the server's event loop."""

    def note_turned_away(self, reason: str) -> None:  # noqa: B027 - only some count
        """Something was refused for a reason that `runway_refusals_total` knows; on the event loop."""

    def note_encoded(self, command: str, seconds: float) -> None:  # noqa: B027 - only some count
        """The answer of a call was written as JSON in this time; on the server's event loop."""


def call_and_wait(engine: Engine, call: Invocation) -> Output:
    """The final output of a call that is not a stream; blocks the calling thread."""
    events: queue.SimpleQueue[Output | RunwayError] = queue.SimpleQueue()
    engine.submit(call, events.put)
    event = events.get()
    if isinstance(event, RunwayError):
        raise event
    return event


class LocalEngine(Engine):
    """Runs commands in the thread that serves: `serve()` takes them one by one until `stop()`.

    Import, setup and every command share that thread, as TensorFlow 1 sessions need. Before and after `serve()`, and
    from inside it, a call runs at once in the thread that submits it (`app.test_client()`).
    """

    def __init__(self, model: RunwayModel) -> None:
        self._model = model
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._turn = threading.RLock()

    @property
    def manifest(self) -> Manifest:
        """The model's own manifest."""
        return self._model.manifest

    def status(self) -> str:
        """The model's `running_status`."""
        return self._model.running_status

    def submit(self, call: Invocation, listener: Listener) -> Cancel:
        """Queue the call for the serving thread."""
        cancelled = threading.Event()
        self._run_in_thread(lambda: self._run(call, listener, cancelled))
        return cancelled.set

    def setup(self, options: Mapping[str, Any]) -> None:
        """Run the setup in the serving thread."""
        done: queue.SimpleQueue[RunwayError | None] = queue.SimpleQueue()

        def run() -> None:
            try:
                self._model.setup_model(options)
            except RunwayError as error:
                done.put(carried(error))
            except BaseException as error:
                done.put(SetupError(readable(error)))
                if not isinstance(error, SystemExit):
                    raise
            else:
                done.put(None)

        self._run_in_thread(run)
        error = done.get()
        if error is not None:
            raise error

    def serve(self) -> None:
        """Run what is submitted, in this thread, until `stop()`."""
        self._thread = threading.current_thread()
        try:
            while (work := self._next()) is not None:
                with self._turn:
                    work()
        finally:
            self._thread = None

    def _next(self) -> Callable[[], None] | None:
        """What was submitted first; waits for it.

        A signal that comes in the moment before a wait is handled after it, so that no wait may be for ever.
        """
        while True:
            try:
                return self._work.get(timeout=LONGEST_WAIT_S)
            except queue.Empty:
                continue

    def stop(self) -> None:
        """Let `serve()` return after the work at hand."""
        self._work.put(None)

    def _run_in_thread(self, work: Callable[[], None]) -> None:
        if self._thread is None or self._thread is threading.current_thread():
            with self._turn:
                work()
        else:
            self._work.put(work)

    def _run(self, call: Invocation, listener: Listener, cancelled: threading.Event) -> None:
        if cancelled.is_set():
            return
        try:
            command = self.manifest.command(call.command)
            if not call.is_stream:
                output = run_command(
                    command, self._model.model, call, is_wanted=lambda: not cancelled.is_set()
                )
                if output is not None:
                    listener(detached(output))
                return
            with closing(stream_command(command, self._model.model, call)) as outputs:
                for output in outputs:
                    if cancelled.is_set():
                        return
                    listener(detached(output))
        except RunwayError as error:
            if not cancelled.is_set():
                listener(carried(error))
        except SystemExit as error:
            logger.error("command %s tried to exit with %s", call.command, readable(error.code))
            listener(InferenceError(readable(error)))
        except BaseException as error:  # the server is told to stop
            listener(InferenceError(readable(error)))
            raise
