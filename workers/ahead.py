"""Inputs that a courier restored while the model ran, for the batch that comes next."""

from __future__ import annotations

from runway.batches import Given, has_plain_types, restored
from runway.manifest import Command
from runway.messages import RunBatch


class Ahead:
    """`prepare` is the courier's, `take` the model's thread's; either does one thing with what they share."""

    def __init__(self) -> None:
        self._ready: dict[int, tuple[RunBatch, Given]] = {}  # one batch, by identity

    def prepare(self, command: Command, batch: RunBatch) -> None:
        """Restore the inputs of a batch, unless that may be a matter of the author's own types."""
        if command.is_batched and has_plain_types(command):
            given = restored(command, [call for _, call in batch.tasks])
            self._ready = {id(batch): (batch, given)}

    def take(self, batch: RunBatch, count: int) -> Given | None:
        """The inputs of a batch's calls, once; None if there are none, or one of the calls was cancelled since."""
        _, given = self._ready.pop(id(batch), (batch, None))
        return given if given is not None and len(given) == count else None
