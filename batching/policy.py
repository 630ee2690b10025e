"""The three numbers that govern a lane; validated here, read by `BatchQueue`."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class BatchPolicy:
    """Bounds of one lane.

    At most `max_batch_size` tasks go to a worker at once and at most `max_queue` wait. A worker
    that got free waits at most `max_wait_ms` for its batch to refill; an idle one never waits.
    `takes_turns`: two batches of half the clients may take turns where that does more (`lane.py`).
    """

    max_batch_size: int = 1
    max_wait_ms: float = 5.0
    max_queue: int = 1024
    takes_turns: bool = True

    def __post_init__(self) -> None:
        _check_count("max_batch_size", self.max_batch_size)
        _check_count("max_queue", self.max_queue)
        if not math.isfinite(self.max_wait_ms) or self.max_wait_ms < 0:
            raise ValueError(f"max_wait_ms must be 0 or more, got {self.max_wait_ms}")


def _check_count(name: str, value: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{name} must be a whole number, got {value!r}")
    if value < 1:
        raise ValueError(f"{name} must be at least 1, got {value}")
