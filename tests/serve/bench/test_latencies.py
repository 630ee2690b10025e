"""Percentiles of `Latencies` against those of the sorted values."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runway_serve.bench.latencies import Latencies

durations = st.lists(st.floats(min_value=2e-6, max_value=9000), min_size=1, max_size=300)


def filled(values: list[float], at_once: int) -> Latencies:
    latencies = Latencies()
    for number, value in enumerate(values):
        latencies.append(value)
        if number % at_once == 0:
            latencies.flush()
    return latencies


@given(durations, st.floats(min_value=0.001, max_value=1), st.integers(1, 50))
def test_percentiles_are_those_of_the_sorted_values(values, share, at_once):
    nearest_rank = sorted(values)[max(1, math.ceil(share * len(values))) - 1]

    found = filled(values, at_once).percentile_s(share)

    assert found == pytest.approx(nearest_rank, rel=1e-3)


@given(durations, st.integers(1, 50))
def test_count_sum_and_maximum_are_exact(values, at_once):
    latencies = filled(values, at_once)

    assert latencies.count == len(values)
    assert latencies.sum_s == pytest.approx(math.fsum(values))
    assert latencies.max_s == max(values)


def test_what_lies_outside_the_buckets_is_kept_at_their_edge():
    latencies = filled([0.0, 1e6], at_once=1)

    assert latencies.count == 2
    assert latencies.percentile_s(0.5) == pytest.approx(1e-6, rel=1e-3)
    assert latencies.max_s == 1e6


def test_nothing_has_no_percentile():
    assert Latencies().percentile_s(0.5) is None
    assert Latencies().summary_ms() is None


def test_memory_does_not_grow_with_the_number():
    latencies = Latencies()
    for _ in range(10):
        for _ in range(1000):
            latencies.append(0.001)
        latencies.flush()

    assert latencies.count == 10_000
    assert len(latencies._recent) == 0
