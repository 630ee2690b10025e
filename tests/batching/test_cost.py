from __future__ import annotations

import random

import pytest

from runway_serve.batching.cost import BatchCost


def noted(*batches: tuple[int, float]) -> BatchCost:
    cost = BatchCost()
    for size, run_s in batches:
        cost.note(size, run_s)
    return cost


def test_nothing_is_known_before_a_batch_ran():
    assert BatchCost().fixed_s == 0
    assert not BatchCost().is_known


def test_the_fixed_part_is_where_the_line_meets_no_items():
    sizes = [1, 30, 8, 16, 32, 3, 20]
    cost = noted(*[(size, 0.010 + 0.0002 * size) for size in sizes])

    assert cost.fixed_s == pytest.approx(0.010)
    assert cost.is_known


def test_noise_moves_it_a_little():
    rng = random.Random(1)
    sizes = [rng.randint(1, 32) for _ in range(200)]
    cost = noted(*[(n, (0.002 + 0.0001 * n) * rng.uniform(0.8, 1.2)) for n in sizes])

    assert cost.fixed_s == pytest.approx(0.002, rel=0.3)


def test_batches_all_alike_count_as_fixed():
    cost = noted(*[(32, 0.0164)] * 20)

    assert cost.fixed_s == pytest.approx(0.0164)
    assert not cost.is_known


def test_what_an_item_cost_once_is_remembered():
    cost = noted((1, 0.0102), *[(size, 0.010 + 0.0002 * size) for size in (1, 32, 1, 32)])
    for _ in range(500):
        cost.note(32, 0.0164)

    assert not cost.is_known
    assert cost.fixed_s == pytest.approx(0.010, rel=0.01)


def test_a_slow_first_batch_is_forgotten():
    cost = noted((1, 5.0), (4, 0.004), (8, 0.008), (1, 0.001))

    assert cost.fixed_s == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("costs", [lambda n: 0.01, lambda n: 0.04 - 0.001 * n, lambda n: 0.001 * n])
def test_neither_part_is_ever_negative(costs):
    cost = noted(*[(size, costs(size)) for size in (1, 8, 32, 16, 2, 32)])

    assert 0 <= cost.fixed_s <= max(costs(size) for size in (1, 32)) + 1e-9


def test_a_batch_of_another_size_is_foretold():
    cost = noted(*[(size, 0.010 + 0.0002 * size) for size in (1, 30, 8, 16, 32, 3, 20)])

    assert cost.expected_s(4) == pytest.approx(0.0108)


def test_batches_all_alike_are_foretold_as_they_were():
    assert noted(*[(32, 0.0164)] * 20).expected_s(32) == pytest.approx(0.0164)
