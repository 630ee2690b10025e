"""Counting in buckets that double, without a comparison."""

from __future__ import annotations

from time import perf_counter

import pytest

from runway.invocation import Invocation
from runway.messages import Coalesced
from runway_serve.crew import Task
from runway_serve.tallies import FINEST_S, CommandTally, Durations, Tallies


def task(waited_s: float) -> Task:
    return Task(1, Invocation("c", {}), print, 0.0, perf_counter() - waited_s)


@pytest.mark.parametrize(
    ("seconds", "bucket"),
    [(0.0, 0), (63e-6, 0), (65e-6, 1), (127e-6, 1), (129e-6, 2), (0.001, 4), (1.0, 14), (1e6, 34)],
)
def test_a_duration_lies_below_the_bound_of_its_bucket(seconds, bucket):
    durations = Durations()

    durations.add(seconds)

    assert durations.counts.index(1) == bucket
    assert seconds <= FINEST_S * 2**bucket
    assert bucket == 0 or seconds >= FINEST_S * 2 ** (bucket - 1)
    assert durations.total_s == seconds


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 8, 9, 32, 33, 128, 129, 4096])
def test_a_batch_lies_in_the_smallest_power_of_two_that_holds_it(size):
    tally = CommandTally()

    tally.note_given([task(waited_s=0.0)] * size)

    bucket = tally.sizes.index(1)
    assert 2**bucket >= size
    assert bucket == 0 or 2 ** (bucket - 1) < size
    assert tally.calls == size


def test_the_wait_of_each_task_of_a_batch_counts():
    tally = CommandTally()

    tally.note_given([task(waited_s=10.0), task(waited_s=0.0), task(waited_s=0.0)])

    assert 10.0 <= tally.waits.total_s < 20.0
    assert sum(tally.waits.counts) == 3
    assert tally.waits.counts[18] == 1  # 8.4 s to 16.8 s


def test_only_declared_commands_are_counted():
    tallies = Tallies()
    tallies.declare(["known"])

    for command in ("known", "other"):
        tallies.observe_answer(command, 200)

    assert list(tallies.commands) == ["known"]
    assert tallies.commands["known"].codes[200] == 1


def test_a_copy_stays_as_it_was():
    tallies = Tallies()
    tallies.declare(["c"])
    copy = tallies.copied()

    tallies.observe_answer("c", 200)
    tallies.refusals["queue_full"] += 1
    tallies.commands["c"].note_given([task(waited_s=1.0)] * 3)

    assert copy.commands["c"].codes[200] == copy.refusals["queue_full"] == 0
    assert copy.commands["c"].calls == copy.commands["c"].waits.total_s == 0
    assert sum(copy.commands["c"].sizes) == sum(copy.commands["c"].waits.counts) == 0


def test_what_workers_tell_of_coalescing_adds_up():
    tally = CommandTally()

    for _ in range(2):
        tally.coalesced.add(Coalesced({5: 2, 1: 1}, 3, {True: 1}, {"failed_check": 1}))
    copy = tally.copied().coalesced
    tally.coalesced.add(Coalesced({}, 1, {False: 1}, {"failed_check": 1}))

    assert (copy.sizes[3], copy.sizes[0], copy.items, copy.alone) == (4, 2, 22, 6)
    assert (copy.agreed, copy.objected, copy.fallbacks) == (2, 0, {"failed_check": 2})
    assert (tally.coalesced.objected, tally.coalesced.fallbacks["failed_check"]) == (1, 3)
