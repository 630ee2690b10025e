"""Throughput and latency of the dispatch rule against closed forms, in simulated time."""

from statistics import mean

import pytest

from tests.batching.simulation import AheadLoop, FrontLoop, Loop, OpenLoop, batch_cost_s

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


# -- a front that takes as long for the requests of a batch as the model does


def network_cost_s(size: int) -> float:
    """A small network on the CPU: W4 of benchmarks.rivals."""
    return 0.00045 + 0.000056 * size


@pytest.mark.parametrize("clients", [16, 32])
def test_two_batches_take_turns_where_a_batch_costs_less_than_its_clients_take_to_return(clients):
    loop = FrontLoop(clients=clients, cost_s=network_cost_s, turnaround_s=0.0001)

    rate = loop.throughput(DURATION_S)

    half = clients // 2
    in_turns = clients / (2 * (network_cost_s(half) + loop.hop_s))
    as_one = network_cost_s(clients) + loop.hop_s + clients * (loop.answer_s + loop.read_s)
    assert rate >= 0.95 * in_turns
    assert rate >= 1.1 * clients / as_one
    assert set(loop.sizes[-20:]) <= {half - 1, half, half + 1}


def test_all_clients_share_a_batch_where_it_costs_much():
    loop = FrontLoop(clients=32, turnaround_s=0.0001)

    rate = loop.throughput(3 * DURATION_S)

    cycle_s = batch_cost_s(32) + loop.hop_s + 32 * (loop.answer_s + loop.read_s)
    assert rate >= 0.97 * 32 / cycle_s
    assert loop.sizes.count(32) >= 0.9 * len(loop.sizes)


@pytest.mark.parametrize("cost_s", [batch_cost_s, network_cost_s])
@pytest.mark.parametrize("clients", [64, 200])
def test_more_clients_than_a_batch_holds_fill_every_batch(clients, cost_s):
    loop = FrontLoop(clients=clients, cost_s=cost_s, turnaround_s=0.0001)

    loop.run(DURATION_S)

    assert sum(loop.sizes) / len(loop.sizes) >= 31


def test_clients_that_became_quick_are_waited_for_again():
    loop = FrontLoop(clients=16, turnaround_s=0.040)
    lane = loop.queue._lane("generate")
    slow: list[float] = []

    def become_quick() -> None:
        slow.append(lane.return_s)
        loop.turnaround_s = 0.0001

    loop.at(DURATION_S, become_quick)
    loop.run(2 * DURATION_S, warm_up_s=2.5 * DURATION_S)

    assert slow[0] > 0.001
    assert sum(loop.sizes) / len(loop.sizes) >= 14


# -- the next batch at the worker before the present one ends

PICTURES = {"turnaround_s": 0.0001, "answer_s": 0.0003, "read_s": 0.0003, "hop_s": 0.001}


@pytest.mark.parametrize("clients", [24, 32])
def test_batches_that_take_turns_lose_nothing_between_two(clients):
    loop = AheadLoop(clients=clients, cost_s=network_cost_s, hop_s=0.0005)

    rate = loop.throughput(DURATION_S)

    assert rate >= 0.97 * clients / (2 * network_cost_s(clients // 2))
    assert loop.sent_ahead >= 0.9 * len(loop.sizes)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_pictures_lose_nothing_between_two_batches(seed):
    ahead = AheadLoop(clients=32, seed=seed, **PICTURES)
    after = AheadLoop(clients=32, seed=seed, looks_ahead=False, **PICTURES)

    assert ahead.throughput(DURATION_S) >= 0.98 * 32 / (2 * batch_cost_s(16))
    assert after.throughput(DURATION_S) <= 32 / (2 * (batch_cost_s(16) + after.hop_s)) + 16


@pytest.mark.parametrize("rate", [100, 300, 1000, 1500])
def test_requests_that_come_at_random_are_not_left_out_of_the_next_batch(rate):
    options = {"clients": 0, "rate": rate, "answer_s": 0.0001, "read_s": 0.0001, "hop_s": 0.0005}
    ahead, after = OpenLoop(**options), OpenLoop(looks_ahead=False, **options)

    ahead.run(3 * DURATION_S)
    after.run(3 * DURATION_S)

    assert ahead.sent_ahead <= 0.03 * len(ahead.sizes)
    assert mean(ahead.latencies) <= 1.02 * mean(after.latencies)


@pytest.mark.parametrize("turnaround_s", [0.012, 0.040])
def test_clients_that_became_quick_are_waited_for_though_batches_were_sent_ahead(turnaround_s):
    loop = AheadLoop(clients=16, turnaround_s=turnaround_s)

    def become_quick() -> None:
        loop.turnaround_s = 0.0001

    loop.at(DURATION_S, become_quick)
    loop.run(2 * DURATION_S, warm_up_s=1.5 * DURATION_S)

    assert sum(loop.sizes) / len(loop.sizes) >= 15


def test_one_batch_of_all_is_never_sent_ahead():
    loop = AheadLoop(clients=32, turnaround_s=0.0001)

    loop.run(DURATION_S)

    assert loop.sent_ahead <= 2  # after the batches that tell what an item costs
