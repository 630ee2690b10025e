"""Measurements for people, as a table, and for programs, as JSON."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from typing import Any

from runway_serve.bench.measurement import Measurement
from runway_serve.bench.target import Target
from runway_serve.workers.cores import scheduled_cores

COLUMNS = (
    "",
    "requests/s",
    "p50 ms",
    "p90 ms",
    "p99 ms",
    "p99.9 ms",
    "max ms",
    "errors",
    "batch",
    "CPU s/1000",
)
ABSENT = "-"


def table(measurements: Sequence[Measurement]) -> str:
    """One line a run, then errors with the first message of each kind, then warnings."""
    rows = [COLUMNS, *(_row(measurement) for measurement in measurements)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(COLUMNS))]
    formats = [f"{{:{'>' if at else '<'}{width}}}" for at, width in enumerate(widths)]
    lines = ["  ".join(formats).format(*row) for row in rows]
    for measurement in measurements:
        for kind, failure in measurement.tally.failures.items():
            text = f": {failure.first}" if failure.first else ""
            lines.append(f"{measurement.step.name}: {failure.count} x {kind}{text}")
        lines += [f"warning: {text}" for text in measurement.warnings()]
    return "\n".join(lines)


def line(measurement: Measurement) -> str:
    """A run on one line."""
    latency = measurement.tally.latencies.summary_ms()
    shown = (
        f"p50 {_ms(latency['p50'])} ms, p99 {_ms(latency['p99'])} ms" if latency else "no answer"
    )
    return (
        f"{measurement.step.name}: {measurement.tally.rate_per_s:,.1f} requests/s, {shown}, "
        f"{measurement.tally.failed} errors"
    )


def document(
    measurements: Sequence[Measurement], target: Target, server: str | None, pid: int | None
) -> dict[str, Any]:
    """Everything a later reader may want to know."""
    first = measurements[0].step
    return {
        "url": target.url,
        "command": target.command,
        "server": server,
        "server_pid": pid,
        "machine": machine(),
        "parameters": {
            "body_bytes": len(target.body),
            "duration_s": first.duration_s,
            "warmup_s": first.warmup_s,
            "requests": first.limit,
            "timeout_s": target.timeout_s,
            "arrivals": None
            if first.rate_per_s is None
            else ("poisson" if first.is_poisson else "constant"),
            "max_connections": None if first.rate_per_s is None else first.max_connections,
        },
        "runs": [measurement.to_dict() for measurement in measurements],
    }


def machine() -> dict[str, Any]:
    """The kind of machine that ran the generator."""
    return {
        "cores": scheduled_cores(),
        "system": platform.system(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
    }


def _row(measurement: Measurement) -> tuple[str, ...]:
    tally = measurement.tally
    latency = tally.latencies.summary_ms() or {}
    names = ("p50", "p90", "p99", "p99_9", "max")
    batch, cpu_s = measurement.batches, measurement.server_cpu_s_per_1000
    return (
        measurement.step.name,
        f"{tally.rate_per_s:,.1f}",
        *(_ms(latency[name]) if latency else ABSENT for name in names),
        str(tally.failed),
        f"{batch.mean:.1f}" if batch else ABSENT,
        f"{cpu_s:.3f}" if cpu_s is not None else ABSENT,
    )


def _ms(value: float) -> str:
    return f"{value:.2f}" if value < 100 else f"{value:.0f}"
