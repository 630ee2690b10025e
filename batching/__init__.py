"""Micro-batching: queue policy and collation. Pure: no I/O, no clock, numpy only."""

from runway_serve.batching.collate import stack, unstack
from runway_serve.batching.policy import BatchPolicy
from runway_serve.batching.queue import Batch, BatchQueue, LaneFullError

__all__ = ["Batch", "BatchPolicy", "BatchQueue", "LaneFullError", "stack", "unstack"]
