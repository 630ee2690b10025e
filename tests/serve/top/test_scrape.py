"""Rates and quantiles from plain numbers."""

from __future__ import annotations

import math

import pytest

from runway_serve.top.scrape import Change, Scrape, quantile


def counter(taken_s: float, value: float) -> Scrape:
    return Scrape.of(f'# TYPE calls counter\ncalls_total{{a="1"}} {value}\n', taken_s)


def test_a_rate_is_growth_over_the_time_between_two_scrapes():
    change = Change(counter(14.0, 50), counter(10.0, 30))

    assert change.per_s("calls_total", a="1") == 5


def test_one_scrape_has_counts_but_no_rates():
    change = Change(counter(14.0, 50))

    assert change.counted("calls_total", a="1") == 50
    assert change.per_s("calls_total", a="1") is None


def test_a_counter_that_fell_began_again():
    assert Change(counter(2.0, 3), counter(1.0, 1000)).counted("calls_total", a="1") == 3


@pytest.mark.parametrize(
    ("share", "value"), [(0.25, 0.5), (0.5, 1.0), (0.75, 2.5), (0.9, 3.4), (1.0, 4.0)]
)
def test_quantiles_are_spread_evenly_within_their_bucket(share, value):
    counts = [(1.0, 5.0), (4.0, 10.0), (math.inf, 10.0)]  # five up to 1, five from 1 to 4

    assert quantile(counts, share) == pytest.approx(value)


def test_what_lies_beyond_the_last_bound_is_told_as_that_bound():
    assert quantile([(1.0, 1.0), (math.inf, 10.0)], 0.9) == 1.0


def test_no_values_have_no_quantile():
    assert quantile([(1.0, 0.0), (math.inf, 0.0)], 0.5) is None
    assert quantile([], 0.5) is None
