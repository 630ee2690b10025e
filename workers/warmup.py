"""`--warmup`: calls that a worker runs before it says that it is ready, so that the first client need not wait.

Compilers, allocators and lazy imports do their work in them. They take the way of every call: decode, restore, the
author's function, prepare; in the model's thread.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from runway.batches import run_batch
from runway.data_types import NoExampleError, is_portable
from runway.exceptions import RunwayError
from runway.execution import run_command, stream_command
from runway.invocation import Invocation, Output
from runway.manifest import Command
from runway.model import RunwayModel
from runway_serve.workers.warmup_file import AUTO, WarmUpRequest, read_requests

logger = logging.getLogger(__name__)


class WarmUpError(RunwayError):
    """A request of the operator's own file failed."""

    def __init__(self, path: str, request: WarmUpRequest, cause: RunwayError) -> None:
        super().__init__(f"--warmup {path}: {request.place} ({request.command}): {cause.message}")
        self.code = cause.code
        self._carried_traceback = cause.get_traceback()


class WarmUp:
    """The warm-up of one worker.

    Args:
        model: the loaded script's model.
        source: `auto`, a path, or None for no warm-up.
        max_batch_size: the operator's cap of batches.
    """

    def __init__(
        self, model: RunwayModel, source: str | None, max_batch_size: int | None = None
    ) -> None:
        self._model = model
        self._source = source
        self._max_batch_size = max_batch_size

    def run(self) -> float:
        """Run the calls; the seconds they took.

        Raises:
            WarmUpError: a request of the file failed. Calls that were made up may fail; the log says so.
        """
        if self._source is None:
            return 0.0
        began = time.monotonic()
        calls = self._run_examples() if self._source == AUTO else self._run_file(self._source)
        took_s = time.monotonic() - began
        logger.info("warm-up: %d calls in %.2f s", calls, took_s)
        return took_s

    def run_again(self) -> None:
        """Run the calls after a later setup: the new model serves whatever becomes of them."""
        try:
            self.run()
        except WarmUpError as error:
            logger.warning("warm-up failed: %s", error.message)

    def _run_file(self, path: str) -> int:
        requests = read_requests(Path(path))
        by_command: dict[str, list[tuple[WarmUpRequest, Invocation]]] = {}
        for request in requests:
            try:
                command = self._model.manifest.command(request.command)
                call = Invocation(command.name, command.inputs.decode(request.inputs))
                run_command(command, self._model.model, call)
            except RunwayError as error:
                raise WarmUpError(path, request, error) from error
            by_command.setdefault(command.name, []).append((request, call))
        for name, pairs in by_command.items():
            results = self._run_full_batch(name, [call for _, call in pairs])
            for (request, _), result in zip(cycle(pairs), results, strict=False):
                if isinstance(result, RunwayError):
                    raise WarmUpError(path, request, result)
        return len(requests)

    def _run_examples(self) -> int:
        calls = 0
        for command in self._model.manifest.commands.values():
            try:
                inputs = example_inputs(command)
            except NoExampleError as reason:
                logger.info("warm-up skips %s: no example of input %s", command.name, reason)
                continue
            calls += 1
            try:
                self._run_example(command, inputs)
            except RunwayError as error:
                logger.info("warm-up of %s failed: %s", command.name, error.message)
            except SystemExit as stop:
                logger.info("warm-up of %s failed: it called sys.exit(%s)", command.name, stop.code)
        return calls

    def _run_example(self, command: Command, inputs: Mapping[str, Any]) -> None:
        call = Invocation(command.name, command.inputs.decode(inputs))
        with closing(stream_command(command, self._model.model, call)) as steps:
            next(steps)  # of a generator only the first value: it may never end
        for result in self._run_full_batch(command.name, [call]):
            if isinstance(result, RunwayError):
                raise result

    def _run_full_batch(
        self, name: str, calls: Sequence[Invocation]
    ) -> Sequence[Output | RunwayError]:
        """Results of the largest batch a worker may be given; nothing for commands without batches."""
        command = self._model.manifest.command(name)
        size = min(command.max_batch_size, self._max_batch_size or command.max_batch_size)
        if not command.is_batched or size == 1:
            return []
        return run_batch(command, self._model.model, list(islice(cycle(calls), size)))


def example_inputs(command: Command) -> dict[str, Any]:
    """JSON inputs that a client might send; what only the author knows is left to its default.

    Raises:
        NoExampleError: an input has neither an example nor a default; the text names it.
    """
    inputs = {}
    for name, data_type in command.inputs.types.items():
        if not is_portable(data_type):
            if getattr(data_type, "default", None) is None:
                raise NoExampleError(f"{name} ({data_type.type})")
            continue
        inputs[name] = data_type.example()
    return inputs
