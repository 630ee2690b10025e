"""Throughput and latency of a sequence of runs as a PNG; needs matplotlib, the extra `plot`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from runway_serve.bench.measurement import Measurement
from runway_serve.bench.target import BenchError, Target

SIZE_INCHES = (12.0, 5.0)
DOTS_PER_INCH = 100  # 1200 x 500 pixels


def require_matplotlib() -> None:
    """Check for matplotlib before the runs rather than after them.

    Raises:
        BenchError: it is not installed.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise BenchError("--plot needs matplotlib: pip install 'runway-serve[plot]'") from error


def draw(measurements: Sequence[Measurement], target: Target, path: Path) -> None:
    """Write the picture: throughput on the left, p50 and p99 on the right, over clients or offered rate.

    Raises:
        BenchError: the file cannot be written.
    """
    from matplotlib.figure import Figure  # large, and only needed here

    is_open = measurements[0].step.rate_per_s is not None
    load = [float(m.step.rate_per_s or m.step.concurrency or 1) for m in measurements]
    figure = Figure(figsize=SIZE_INCHES, dpi=DOTS_PER_INCH, layout="constrained")
    figure.suptitle(f"{target.command} at {target.url}")
    throughput, latency = figure.subplots(1, 2)
    throughput.plot(load, [m.tally.rate_per_s for m in measurements], "o-")
    throughput.set(ylabel="answers/s", ylim=(0, None))
    if is_open:
        throughput.plot(load, load, ":", color="grey", label="offered")
        throughput.legend()
    for share, name in ((0.5, "p50"), (0.99, "p99")):
        values = [m.tally.latencies.percentile_s(share) for m in measurements]
        latency.plot(load, [None if v is None else v * 1e3 for v in values], "o-", label=name)
    latency.set(ylabel="latency, ms", yscale="log")
    latency.legend()
    for axes in (throughput, latency):
        axes.set(xlabel="offered requests/s" if is_open else "clients")
        axes.grid(visible=True, alpha=0.3)
        if not is_open and len(load) > 1:
            axes.set_xscale("log", base=2)
            axes.set_xticks(load, [f"{value:g}" for value in load])
    try:
        figure.savefig(path, format="png")
    except OSError as error:
        raise BenchError(f"--plot {path}: {error.strerror}") from error
