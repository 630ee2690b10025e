"""What the dispatcher counts for `GET /metrics`, as plain numbers: an answered task costs under half a microsecond.

Owned by the event loop. `runway_serve.metrics` turns these numbers into text when somebody asks for them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from runway.messages import Coalesced
from runway_serve.crew import Task

FINEST_S = 64e-6  # upper bound of the first bucket; each further one is twice as wide
_FINEST_PER_S = 1 / FINEST_S
SLOTS = 48  # far beyond any duration, so that counting needs no comparison
CANCELLED = 499  # the code that web servers log for a client that left
USUAL_CODES = (200, 400, CANCELLED, 500, 503, 504)  # shown as 0 before they first occur


class Durations:
    """Counts of durations in buckets that double: `counts[n]` are those up to `FINEST_S * 2**n`."""

    __slots__ = ("counts", "total_s")

    def __init__(self) -> None:
        self.counts = [0] * SLOTS
        self.total_s = 0.0

    def add(self, seconds: float) -> None:
        """Count one duration."""
        self.counts[int(seconds * _FINEST_PER_S).bit_length()] += 1
        self.total_s += seconds

    def copied(self) -> Durations:
        """The same numbers, which no longer change."""
        twin = Durations()
        twin.counts, twin.total_s = self.counts.copy(), self.total_s
        return twin


class CoalescedTally:
    """What became of the calls of networks in one command; `sizes[n]` are stacked runs of up to `2**n` items."""

    __slots__ = ("agreed", "alone", "fallbacks", "items", "objected", "sizes")

    def __init__(self) -> None:
        self.sizes = [0] * SLOTS
        self.items = self.alone = self.agreed = self.objected = 0
        self.fallbacks: Counter[str] = Counter()

    def add(self, news: Coalesced) -> None:
        """Count what a worker told."""
        for size, runs in news.sizes.items():
            self.sizes[(size - 1).bit_length()] += runs
            self.items += size * runs
        self.alone += news.alone
        self.agreed += news.checks.get(True, 0)
        self.objected += news.checks.get(False, 0)
        self.fallbacks.update(news.fallbacks)

    def copied(self) -> CoalescedTally:
        """The same numbers, which no longer change."""
        twin = CoalescedTally()
        twin.sizes, twin.items, twin.alone = self.sizes.copy(), self.items, self.alone
        twin.agreed, twin.objected = self.agreed, self.objected
        twin.fallbacks = self.fallbacks.copy()
        return twin


class CommandTally:
    """The numbers of one command; `sizes[n]` are the batches of up to `2**n` calls."""

    __slots__ = ("calls", "coalesced", "codes", "encodes", "runs", "sizes", "waits")

    def __init__(self) -> None:
        self.codes: defaultdict[int, int] = defaultdict(int, dict.fromkeys(USUAL_CODES, 0))
        self.waits = Durations()
        self.runs = Durations()
        self.encodes = Durations()
        self.sizes = [0] * SLOTS
        self.calls = 0
        self.coalesced = CoalescedTally()

    def note_given(self, tasks: Sequence[Task]) -> None:
        """A worker is given these tasks now."""
        size = len(tasks)
        self.sizes[(size - 1).bit_length()] += 1
        self.calls += size
        now, counts, total_s = perf_counter(), self.waits.counts, 0.0
        for task in tasks:  # as `Durations.add` does it; the call would cost as much again
            waited_s = now - task.accepted_at
            counts[int(waited_s * _FINEST_PER_S).bit_length()] += 1
            total_s += waited_s
        self.waits.total_s += total_s

    def copied(self) -> CommandTally:
        """The same numbers, which no longer change."""
        twin = CommandTally()
        twin.codes = self.codes.copy()
        twin.waits, twin.runs = self.waits.copied(), self.runs.copied()
        twin.encodes = self.encodes.copied()
        twin.sizes, twin.calls = self.sizes.copy(), self.calls
        twin.coalesced = self.coalesced.copied()
        return twin


class Tallies:
    """The tally of each command that the model declares, and refusals by reason. Other names are not counted."""

    def __init__(self) -> None:
        self.commands: dict[str, CommandTally] = {}
        self.refusals: dict[str, int] = dict.fromkeys(
            (
                "queue_full",
                "no_worker",
                "stopping",
                "workers_failed",
                "pending_bytes",
                "connections",
                "websockets",
                "jobs",
                "too_slow",
                "unauthorized",
                "foreign_origin",
            ),
            0,
        )

    def declare(self, commands: Iterable[str]) -> None:
        """These are the commands."""
        self.commands = {name: self.commands.get(name, CommandTally()) for name in commands}

    def observe_answer(self, command: str, code: int) -> None:
        """A call ended, or was refused, with this code."""
        tally = self.commands.get(command)
        if tally is not None:
            tally.codes[code] += 1

    def copied(self) -> Tallies:
        """The same numbers, which no longer change."""
        twin = Tallies()
        twin.commands = {name: tally.copied() for name, tally in self.commands.items()}
        twin.refusals = self.refusals.copy()
        return twin


@dataclass(frozen=True)
class Reading:
    """The numbers of one moment: tallies, waiting and running calls by command, the supervisor's list of workers."""

    tallies: Tallies
    waiting: Mapping[str, int]
    running: Mapping[str, int]
    workers: Sequence[Mapping[str, Any]]
