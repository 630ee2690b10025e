"""One measured run after its warm-up: what was asked for, and all figures of it."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from runway_serve.bench.closed_loop import ClosedLoop
from runway_serve.bench.load import Load
from runway_serve.bench.open_loop import OpenLoop
from runway_serve.bench.process_tree import cpu_seconds, memory_bytes
from runway_serve.bench.server import BatchSizes, batch_sizes, bound_name
from runway_serve.bench.tally import Tally
from runway_serve.bench.target import BenchError, Target

BUSY_SHARE = 0.9  # of a core; above it the figures may be the generator's own
LAG_LIMIT_MS = 1.0  # of the 99th percentile


@dataclass(frozen=True)
class Step:
    """One run: a closed loop of `concurrency` clients, or an open loop of `rate_per_s`."""

    concurrency: int | None = None
    rate_per_s: float | None = None
    is_poisson: bool = True
    max_connections: int = 1024
    duration_s: float = 10.0
    warmup_s: float = 2.0
    limit: int | None = None

    def load(self, target: Target, on_tick: Callable[[Load], None]) -> Load:
        """The load that this step is."""
        if self.rate_per_s is None:
            return ClosedLoop(target, self.concurrency or 1, on_tick)
        return OpenLoop(
            target,
            self.rate_per_s,
            is_poisson=self.is_poisson,
            max_connections=self.max_connections,
            on_tick=on_tick,
        )

    @property
    def name(self) -> str:
        """What a person calls it."""
        if self.rate_per_s is not None:
            return f"{self.rate_per_s:g}/s offered"
        return f"{self.concurrency} client{'' if self.concurrency == 1 else 's'}"


@dataclass(frozen=True)
class Measurement:
    """Figures of a step; what could not be found out is None."""

    step: Step
    tally: Tally
    batches: BatchSizes | None
    server_cpu_s: float | None
    server_memory_bytes: int | None
    generator_cpu_s: float
    wall_s: float

    @property
    def server_cpu_s_per_1000(self) -> float | None:
        """CPU seconds of the server's processes for a thousand answers, good or not."""
        if self.server_cpu_s is None or not self.tally.answered:
            return None
        return self.server_cpu_s / self.tally.answered * 1e3

    def warnings(self) -> list[str]:
        """Why the figures may be those of the generator instead of the server."""
        found = []
        if self.generator_cpu_s > BUSY_SHARE * self.wall_s:
            busy = f"{self.generator_cpu_s / self.wall_s:.0%} of a core"
            found.append(f"{self.step.name}: the generator used {busy} and may be the limit")
        lag = self.tally.lags.summary_ms()
        if lag and lag["p99"] > LAG_LIMIT_MS:
            found.append(
                f"{self.step.name}: the generator sent late by {lag['p99']:.1f} ms (p99), "
                "which is part of the latencies"
            )
        if self.tally.queued:
            found.append(
                f"{self.step.name}: {self.tally.queued} requests waited for one of "
                f"{self.step.max_connections} connections (--max-connections)"
            )
        return found

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON has it."""
        tally, step = self.tally, self.step
        return {
            "loop": "closed" if step.rate_per_s is None else "open",
            "concurrency": step.concurrency,
            "offered_per_s": step.rate_per_s,
            "duration_s": round(tally.elapsed_s, 6),
            "requests": tally.sent,
            "answers": tally.good,
            "requests_per_s": round(tally.rate_per_s, 3),
            "latency_ms": tally.latencies.summary_ms(),
            "errors": {k: {"count": f.count, "first": f.first} for k, f in tally.failures.items()},
            "received_bytes": tally.received_bytes,
            "reconnects": tally.reconnects,
            "batch_size": self._batch_size(),
            "server": {
                "cpu_s": _rounded(self.server_cpu_s),
                "cpu_s_per_1000_requests": _rounded(self.server_cpu_s_per_1000),
                "memory_bytes": self.server_memory_bytes,
            },
            "generator": {
                "cpu_us_per_request": _rounded(self.generator_cpu_s / max(1, tally.sent) * 1e6),
                "lag_ms": tally.lags.summary_ms(),
                "waited_for_connection": tally.queued,
            },
            "warnings": self.warnings(),
        }

    def _batch_size(self) -> dict[str, Any] | None:
        if self.batches is None:
            return None
        buckets = {bound_name(bound): count for bound, count in self.batches.buckets.items()}
        return {"mean": round(self.batches.mean, 3), "batches": self.batches.batches} | {
            "batches_up_to": buckets
        }


async def measure(
    target: Target, step: Step, pid: int | None, on_tick: Callable[[Load, str], None]
) -> Measurement:
    """Figures of a step. The warm-up is a run of its own: its answers are there before the clock starts."""
    phase = "warm-up"
    load = step.load(target, lambda running: on_tick(running, phase))
    try:
        if isinstance(load, ClosedLoop):
            await load.connect()
        if step.warmup_s:
            await load.run(step.warmup_s)
        phase = "run"
        return await _measured(load, target, step, pid)
    finally:
        await load.close()


async def _measured(load: Load, target: Target, step: Step, pid: int | None) -> Measurement:
    batches = batch_sizes(target)
    gc.collect()
    gc.disable()  # nothing here makes cycles worth a pause of the generator
    try:
        server_s, own_s, began = _cpu(pid), time.process_time(), time.monotonic()
        tally = await load.run(step.duration_s, step.limit)
        own_s, wall_s = time.process_time() - own_s, time.monotonic() - began
        server_s = _cpu(pid) - server_s
    finally:
        gc.enable()
    later = batch_sizes_if_there(target)
    return Measurement(
        step=step,
        tally=tally,
        batches=later.since(batches) if later and batches else None,
        server_cpu_s=None if math.isnan(server_s) else server_s,
        server_memory_bytes=_memory(pid),
        generator_cpu_s=own_s,
        wall_s=wall_s,
    )


def batch_sizes_if_there(target: Target) -> BatchSizes | None:
    """As `batch_sizes`, of a server that the run may have ended."""
    try:
        return batch_sizes(target)
    except BenchError:
        return None


def _cpu(pid: int | None) -> float:
    """CPU seconds of the tree; not a number if it cannot be told."""
    try:
        return math.nan if pid is None else cpu_seconds(pid)
    except ProcessLookupError:
        return math.nan


def _memory(pid: int | None) -> int | None:
    try:
        return None if pid is None else memory_bytes(pid)
    except ProcessLookupError:
        return None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
