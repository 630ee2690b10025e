"""Throughput and latency of the dispatch rule against closed forms, in simulated time."""

import pytest

from tests.batching.simulation import Loop, batch_cost_s

DURATION_S = 1.0


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("workers", [1, 2, 3])
def test_thirty_two_clients_reach_nine_tenths_of_the_ceiling(workers, seed):
    loop = Loop(clients=32, workers=workers, seed=seed)

    assert loop.throughput(DURATION_S) >= 0.9 * loop.ceiling()


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_many_clients_reach_the_ceiling(workers):
    loop = Loop(clients=128, workers=workers)

    assert loop.throughput(DURATION_S) >= 0.97 * loop.ceiling()


@pytest.mark.parametrize("workers", [1, 2])
def test_one_client_waits_for_nothing_but_its_own_run(workers):
    loop = Loop(clients=1, workers=workers)

    loop.run(DURATION_S)

    assert max(loop.latencies) == pytest.approx(batch_cost_s(1))


def test_as_many_clients_as_workers_wait_for_nothing_but_their_own_run():
    loop = Loop(clients=2, workers=2)

    loop.run(DURATION_S)

    assert max(loop.latencies) == pytest.approx(batch_cost_s(1))


def test_two_workers_that_take_turns_share_the_clients():
    loop = Loop(clients=32, workers=2)

    loop.run(DURATION_S)

    assert min(loop.sizes) >= 14
    assert max(loop.sizes) <= 18


def test_a_rate_below_one_worker_is_served_without_waiting():
    """Clients that think for 50 ms meet an idle worker: no window may hold them up."""
    loop = Loop(clients=2, workers=2, turnaround_s=0.050)

    loop.run(DURATION_S)

    assert max(loop.latencies) == pytest.approx(batch_cost_s(1))


def test_a_fast_command_loses_nothing_to_waiting():
    loop = Loop(clients=1, cost_s=lambda size: 0.0005, turnaround_s=0.0001)

    loop.run(DURATION_S)

    assert max(loop.latencies) == pytest.approx(0.0005)
