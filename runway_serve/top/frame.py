"""`Frame`: what one view shows, as plain numbers; `screen.py` draws it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from runway_serve.top.scrape import Change, Scrape

SHARES = (0.5, 0.95, 0.99)


@dataclass(frozen=True)
class Latency:
    """Quantiles in seconds of the calls since the last frame; None where there were none."""

    p50_s: float | None
    p95_s: float | None
    p99_s: float | None


@dataclass(frozen=True)
class Command:
    """One command; `answers` are all that it gave by code, `rates` those a second lately, None in a first frame."""

    name: str
    answers: Mapping[str, int]
    rates: Mapping[str, float | None]
    waiting: int
    running: int
    batch_size: float | None
    wait: Latency
    run: Latency
    encode: Latency


@dataclass(frozen=True)
class Worker:
    """One worker; `restarts` by what ended it."""

    name: str
    device: str
    state: str
    restarts: Mapping[str, int]


@dataclass(frozen=True)
class Card:
    """One GPU; None where the card does not tell."""

    uuid: str
    memory_used_bytes: float | None
    memory_total_bytes: float | None
    utilization: float | None
    temperature_celsius: float | None


@dataclass(frozen=True)
class Frame:
    """A server at one moment; `refusals` are all that there were, by reason, without those of 0."""

    version: str
    seconds: float | None
    commands: tuple[Command, ...]
    workers: tuple[Worker, ...]
    cards: tuple[Card, ...]
    refusals: Mapping[str, int]
    front_cpu_share: float | None
    front_memory_bytes: float | None

    @classmethod
    def of(cls, latest: Scrape, before: Scrape | None = None) -> Frame:
        """The view of a scrape; rates and quantiles are those since the one before, if there is one."""
        change = Change(latest, before)
        build = next(latest.values("runway_build_info"), ({}, 1.0))[0]
        return cls(
            version=build.get("version", ""),
            seconds=change.seconds,
            commands=tuple(
                _command(change, labels["command"])
                for labels, _ in latest.values("runway_queue_depth")
            ),
            workers=tuple(
                _worker(latest, labels)
                for labels, is_in in latest.values("runway_worker_state")
                if is_in
            ),
            cards=tuple(_card(latest, uuid) for uuid in _uuids(latest)),
            refusals={
                labels["reason"]: int(count)
                for labels, count in latest.values("runway_refusals_total")
                if count
            },
            front_cpu_share=change.per_s("process_cpu_seconds_total"),
            front_memory_bytes=latest.value("process_resident_memory_bytes"),
        )


def _command(change: Change, name: str) -> Command:
    latest = change.latest
    answers: dict[str, int] = {}
    rates: dict[str, float | None] = {}
    for labels, count in latest.values("runway_requests_total", command=name):
        if count:
            code = labels["code"]
            answers[code] = int(count)
            rates[code] = change.per_s("runway_requests_total", command=name, code=code)
    return Command(
        name=name,
        answers=answers,
        rates=rates,
        waiting=int(latest.value("runway_queue_depth", command=name) or 0),
        running=int(latest.value("runway_tasks_running", command=name) or 0),
        batch_size=change.mean("runway_batch_size", command=name),
        wait=_latency(change, "runway_queue_wait_seconds", name),
        run=_latency(change, "runway_run_seconds", name),
        encode=_latency(change, "runway_encode_seconds", name),
    )


def _latency(change: Change, histogram: str, command: str) -> Latency:
    return Latency(*change.quantiles(histogram, SHARES, command=command))


def _worker(latest: Scrape, labels: Mapping[str, str]) -> Worker:
    restarts: Counter[str] = Counter()
    for found, count in latest.values("runway_worker_restarts_total", worker=labels["worker"]):
        restarts[found["reason"]] += int(count)
    return Worker(labels["worker"], labels["device"], labels["state"], restarts)


def _uuids(latest: Scrape) -> list[str]:
    """Cards that told anything, in the order of the answer."""
    names = [name for name in latest.samples if name.startswith("runway_gpu_")]
    return list(
        dict.fromkeys(labels["uuid"] for name in names for labels, _ in latest.values(name))
    )


def _card(latest: Scrape, uuid: str) -> Card:
    def reading(name: str) -> float | None:
        return latest.value(f"runway_gpu_{name}", uuid=uuid)

    return Card(
        uuid,
        reading("memory_used_bytes"),
        reading("memory_total_bytes"),
        reading("utilization_ratio"),
        reading("temperature_celsius"),
    )
