"""What the dispatcher knows of its lanes: their batch policies, and how long their calls take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from runway.arena import SHARE_BYTES
from runway.manifest import Manifest
from runway_serve.batching.policy import BatchPolicy
from runway_serve.config import FrontConfig

CHUNK_S = 0.002  # of work sent at once; a message between processes costs about a tenth of that
PLAIN = frozenset(
    {float, int, bool, str, bytes, type(None)}
)  # a list that begins so holds no arrays
FORGET = 0.9  # of the slowest call of late, after each batch


def lane_policies(manifest: Manifest, config: FrontConfig) -> dict[str, BatchPolicy]:
    """The policy of each command: the author's numbers, capped by the operator's."""
    policies = {}
    for name, command in manifest.commands.items():
        size = min(command.max_batch_size, config.max_batch_size or command.max_batch_size)
        wait_ms = command.max_wait_ms
        if config.max_wait_ms is not None:
            wait_ms = min(wait_ms, config.max_wait_ms)
        policies[name] = BatchPolicy(size, wait_ms, config.max_queue, command.is_batched)
    return policies


class Costs:
    """What a call of each command takes: seconds, by the slowest of late; bytes of large outputs, by the largest."""

    def __init__(self) -> None:
        self._output_bytes: dict[str, int] = {}
        self._slowest_s: dict[str, float] = {}

    def note(self, command: str, calls: int, run_s: float) -> None:
        """A batch of `calls` ran for `run_s` seconds."""
        cost_s = run_s / max(1, calls)
        self._slowest_s[command] = max(cost_s, FORGET * self._slowest_s.get(command, 0.0))

    def note_output(self, command: str, value: Mapping[str, Any]) -> None:
        """A call answered with these prepared outputs."""
        size = large_bytes(value)
        if size > self._output_bytes.get(command, 0):
            self._output_bytes[command] = size

    def output_bytes(self, command: str) -> int:
        """Bytes of shared memory that the outputs of one call may need; 0 for those that are small."""
        return self._output_bytes.get(command, 0)

    def room(self, command: str, waiting: int, workers: int) -> int:
        """Calls beyond the first that a worker may be sent to run one by one.

        A worker that had to be asked for each call of some microseconds would mostly wait. What it is sent fits into
        `CHUNK_S`, so that a call behind others waits no longer, and leaves the other workers their share.
        """
        slowest_s = self._slowest_s.get(command)
        if slowest_s is None:
            return 0
        share = -(-(waiting + 1) // max(1, workers))
        return max(0, min(int(CHUNK_S / max(slowest_s, 1e-6)), share) - 1)


def large_bytes(value: Any) -> int:
    """Bytes of the arrays in a prepared value that are worth sharing, each rounded up to where the next may begin."""
    if isinstance(value, np.ndarray):
        return value.nbytes + 64 if value.nbytes >= SHARE_BYTES else 0
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list) or (value and type(value[0]) in PLAIN):
        return 0
    total = 0
    for item in value:
        total += large_bytes(item)
    return total
