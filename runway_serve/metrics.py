"""`GET /metrics`: the server's numbers as Prometheus text, gathered when somebody asks (`docs/metrics.md`).

Runs in a thread of the Flask app. What belongs to the event loop comes as a `Reading`; GPUs are asked through NVML.
"""

from __future__ import annotations

import platform
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from runway import __version__
from runway_serve.tallies import FINEST_S, CommandTally, Durations, Reading
from runway_serve.workers.devices import readings

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
DURATION_BUCKETS = 22  # 64 us to 134 s; longer ones are in +Inf
SIZE_BUCKETS = 8  # 1, 2, 4 ... 128
WORKER_STATES = ("starting", "loaded", "ready", "lost", "failed")
GPU_MAX_AGE_S = 1.0
GPU_METRICS = {
    "memory_used_bytes": "Memory in use on the card, by all processes.",
    "memory_total_bytes": "Memory of the card.",
    "utilization_ratio": "Share of time in which the card was busy lately, 0 to 1.",
    "temperature_celsius": "Temperature of the card.",
}
Buckets = list[tuple[str, float]]


class Metrics:
    """Writes the numbers that `read` gives; any thread may ask."""

    def __init__(self, read: Callable[[], Reading]) -> None:
        self._read = read
        self._gpus = GpuReadings()
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def text(self) -> bytes:
        """Prometheus text, version 0.0.4."""
        return generate_latest(self._registry)

    def describe(self) -> list[Metric]:
        """Nothing: the registry would otherwise collect once to learn the names, before there is an event loop."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All families, for the registry."""
        reading = self._read()
        build = GaugeMetricFamily(
            "runway_build_info", "Always 1.", labels=["version", "python_version"]
        )
        build.add_metric([__version__, platform.python_version()], 1)
        yield build
        yield from _command_families(reading)
        yield from _worker_families(reading.workers)
        uuids = [w["device"]["uuid"] for w in reading.workers if w["device"]["uuid"]]
        if uuids:
            yield from _gpu_families(self._gpus.of(dict.fromkeys(uuids)))


class GpuReadings:
    """NVML's readings, asked for at most once in `GPU_MAX_AGE_S` and by one thread at a time.

    A card that is about to be lost may block NVML for seconds: who asks meanwhile gets the readings from before.
    """

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._read_at = 0.0
        self._latest: dict[str, dict[str, float]] = {}

    def of(self, uuids: Mapping[str, None]) -> dict[str, dict[str, float]]:
        """Readings by UUID; a card that cannot be read has none."""
        if self._turn.acquire(blocking=False):
            try:
                if not self._latest or time.monotonic() - self._read_at > GPU_MAX_AGE_S:
                    self._latest = readings(uuids)
                    self._read_at = time.monotonic()
            finally:
                self._turn.release()
        return self._latest


def _command_families(reading: Reading) -> Iterator[Metric]:
    tallies = {_label(name): tally for name, tally in reading.tallies.commands.items()}
    requests = CounterMetricFamily(
        "runway_requests", "Calls that ended, by final code.", labels=["command", "code"]
    )
    for command, tally in tallies.items():
        for code, count in tally.codes.items():
            requests.add_metric([command, str(code)], count)
    yield requests
    yield _by_command("runway_queue_depth", "Calls that wait for a worker.", reading.waiting)
    yield _by_command("runway_tasks_running", "Calls that a worker was given.", reading.running)
    refusals = CounterMetricFamily(
        "runway_refusals", "Requests refused before they were queued, by reason.", labels=["reason"]
    )
    for reason, count in reading.tallies.refusals.items():
        refusals.add_metric([reason], count)
    yield refusals
    yield _durations("runway_queue_wait_seconds", "Call accepted to given.", tallies, "waits")
    yield _durations("runway_run_seconds", "Worker's time for a batch.", tallies, "runs")
    yield _durations("runway_encode_seconds", "Writing of an answer.", tallies, "encodes")
    sizes = HistogramMetricFamily(
        "runway_batch_size", "Calls given to a worker at once.", labels=["command"]
    )
    for command, tally in tallies.items():
        bounds = [float(2**n) for n in range(SIZE_BUCKETS)]
        sizes.add_metric([command], _buckets(tally.sizes, bounds), tally.calls)
    yield sizes
    yield from _coalesced_families(tallies)


def _coalesced_families(tallies: Mapping[str, CommandTally]) -> Iterator[Metric]:
    sizes = HistogramMetricFamily(
        "runway_coalesced_batch_size", "Items of a network's stacked run.", labels=["command"]
    )
    alone = CounterMetricFamily(
        "runway_coalesced_alone", "Calls of a network that ran by themselves.", labels=["command"]
    )
    checks = CounterMetricFamily(
        "runway_coalesce_checks", "Networks run both ways.", labels=["command", "result"]
    )
    fallbacks = CounterMetricFamily(
        "runway_coalesce_fallbacks", "What was not coalesced.", labels=["command", "reason"]
    )
    bounds = [float(2**n) for n in range(SIZE_BUCKETS)]
    for command, tally in tallies.items():
        found = tally.coalesced
        sizes.add_metric([command], _buckets(found.sizes, bounds), found.items)
        alone.add_metric([command], found.alone)
        checks.add_metric([command, "agreed"], found.agreed)
        checks.add_metric([command, "objected"], found.objected)
        for reason, count in found.fallbacks.items():
            fallbacks.add_metric([command, reason], count)
    yield from (sizes, alone, checks, fallbacks)


def _worker_families(workers: Sequence[Mapping[str, Any]]) -> Iterator[Metric]:
    states = GaugeMetricFamily(
        "runway_worker_state",
        "1 for the state a worker is in, 0 for the others.",
        labels=["worker", "device", "state"],
    )
    restarts = CounterMetricFamily(
        "runway_worker_restarts",
        "Workers that ended and were replaced, by what ended them.",
        labels=["worker", "device", "reason"],
    )
    for worker in workers:
        name, device = worker["name"], _device(worker)
        for state in WORKER_STATES:
            states.add_metric([name, device, state], float(worker["state"] == state))
        for reason, count in worker["restarts"].items():
            restarts.add_metric([name, device, reason], count)
    yield states
    yield restarts


def _gpu_families(found: Mapping[str, Mapping[str, float]]) -> Iterator[Metric]:
    for reading, text in GPU_METRICS.items():
        family = GaugeMetricFamily(f"runway_gpu_{reading}", text, labels=["uuid"])
        for uuid, values in found.items():
            if reading in values:
                family.add_metric([uuid], values[reading])
        yield family


def _by_command(name: str, text: str, values: Mapping[str, int]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=["command"])
    for command, value in values.items():
        family.add_metric([_label(command)], value)
    return family


def _durations(name: str, text: str, tallies: Mapping[str, CommandTally], which: str) -> Metric:
    family = HistogramMetricFamily(name, text, labels=["command"])
    bounds = [FINEST_S * 2**n for n in range(DURATION_BUCKETS)]
    for command, tally in tallies.items():
        durations: Durations = getattr(tally, which)
        family.add_metric([command], _buckets(durations.counts, bounds), durations.total_s)
    return family


def _buckets(counts: Sequence[int], bounds: Sequence[float]) -> Buckets:
    """Cumulated counts, as Prometheus wants them; what lies above the last bound is in +Inf."""
    buckets: Buckets = []
    total = 0
    for bound, count in zip(bounds, counts, strict=False):
        total += count
        buckets.append((f"{bound:g}", total))
    return [*buckets, ("+Inf", sum(counts))]


def _device(worker: Mapping[str, Any]) -> str:
    device = worker["device"]
    return "cpu" if device["kind"] == "cpu" else str(device["uuid"] or device["name"])


def _label(command: str) -> str:
    """A command's name as text that UTF-8 can write; prometheus_client escapes the rest."""
    return command.encode("utf-8", "backslashreplace").decode()
