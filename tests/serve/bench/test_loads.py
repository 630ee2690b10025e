"""Closed and open loops against servers that answer, stall and misbehave."""

from __future__ import annotations

import pytest

from runway_serve.bench.closed_loop import ClosedLoop
from runway_serve.bench.on_loop import on_loop
from runway_serve.bench.open_loop import OpenLoop
from runway_serve.bench.tally import Tally
from runway_serve.bench.target import Target
from tests.processes import free_port
from tests.serve.bench.conftest import behaving, reset, run_load

LONG_S = 60.0  # runs that end by their number of requests
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"


def target(port: int, command: str = "nap", body: bytes = b"{}", timeout_s: float = 30.0) -> Target:
    return Target.of(f"http://127.0.0.1:{port}", command, body, timeout_s=timeout_s)


def closed(place: Target, clients: int = 1) -> ClosedLoop:
    return ClosedLoop(place, clients)


class TestClosedLoop:
    def test_no_client_sends_before_its_answer_came(self, server):
        napping = target(server.port, body=b'{"s": 0.02}')

        tally = run_load(lambda: closed(napping, clients=3), LONG_S, limit=9)

        assert (tally.sent, tally.good, tally.failed) == (9, 9, 0)
        # One worker naps 9 times in a row; the three clients are never all at rest.
        assert tally.elapsed_s >= 9 * 0.02
        assert tally.latencies.sum_s <= 3 * tally.elapsed_s + 1e-3

    def test_time_ends_the_sending_and_answers_are_waited_for(self, server):
        napping = target(server.port, body=b'{"s": 0.2}')

        tally = run_load(lambda: closed(napping), 0.05)

        assert (tally.sent, tally.good, tally.late) == (1, 1, 1)
        assert tally.elapsed_s == pytest.approx(0.05)
        assert tally.rate_per_s == 0
        assert tally.latencies.max_s >= 0.2

    def test_a_connection_that_the_server_closes_is_replaced(self):
        with behaving(lambda c: c.sendall(GOOD + b"Connection: close\r\n\r\n{}")) as port:
            tally = run_load(lambda: closed(target(port)), LONG_S, limit=5)

        assert (tally.good, tally.failed, tally.reconnects) == (5, 0, 5)
        assert tally.received_bytes == 5 * len(GOOD + b"Connection: close\r\n\r\n{}")


class TestErrors:
    @pytest.mark.parametrize(
        ("behave", "kind", "said"),
        [
            (lambda c: None, "connection closed", "the server closed it before its answer"),
            (reset, "connection reset", "reset by peer"),
            (lambda c: c.sendall(b"SSH-2.0-OpenSSH\r\n"), "bad answer", "b'SSH-2.0-OpenSSH"),
            (
                lambda c: c.sendall(b"HTTP/1.1 502 Bad\r\nContent-Length: 8\r\n\r\n<b>no</b"),
                "HTTP 502",
                "no</b",
            ),
            (
                lambda c: c.sendall(
                    b'HTTP/1.1 503 Full\r\nContent-Length: 17\r\n\r\n{"error": "full"}'
                ),
                "HTTP 503",
                "full",
            ),
        ],
    )
    def test_are_counted_by_kind_with_what_the_first_said(self, behave, kind, said):
        with behaving(behave) as port:
            tally = run_load(lambda: closed(target(port)), LONG_S, limit=1)

        assert [*tally.failures] == [kind]
        assert tally.failures[kind].count == 1
        assert said in tally.failures[kind].first
        assert tally.good == 0

    def test_nobody_listens(self):
        tally = run_load(lambda: closed(target(free_port()), clients=2), 0.15)

        assert [*tally.failures] == ["connection refused"]
        assert tally.failures["connection refused"].count >= 2
        assert tally.sent == 0

    @pytest.mark.parametrize("load", [closed, lambda place: OpenLoop(place, 100)])
    def test_no_answer_in_time(self, load):
        def until_it_gives_up(connection):
            while connection.recv(65536):
                pass

        with behaving(until_it_gives_up) as port:
            tally = run_load(lambda: load(target(port, timeout_s=0.2)), LONG_S, limit=2)

        assert tally.sent == 2
        assert {kind: failure.count for kind, failure in tally.failures.items()} == {"timeout": 2}
        assert tally.failures["timeout"].first == "no answer within 0.2 s"

    def test_an_open_loop_counts_requests_that_find_no_server(self):
        place = target(free_port())

        tally = run_load(lambda: OpenLoop(place, 200, is_poisson=False), LONG_S, limit=7)

        assert (tally.sent, tally.good) == (7, 0)
        assert tally.failures["connection refused"].count == 7


class TestOpenLoop:
    NAP_S, GAP_S, REQUESTS = 0.05, 0.01, 10

    @property
    def least_sum_s(self) -> float:
        """Sum of the latencies if naps follow each other without a pause.

        Nap k then ends k + 1 naps after the first request was due, and request k was due k gaps after it.
        """
        return sum((k + 1) * self.NAP_S - k * self.GAP_S for k in range(self.REQUESTS))

    @pytest.mark.parametrize("max_connections", [1, 4, 1024])
    def test_latencies_count_from_when_a_request_was_due(self, server, max_connections):
        napping = target(server.port, body=b'{"s": %g}' % self.NAP_S)

        def load() -> OpenLoop:
            rate_per_s = 1 / self.GAP_S
            return OpenLoop(napping, rate_per_s, is_poisson=False, max_connections=max_connections)

        tally = run_load(load, LONG_S, limit=self.REQUESTS)

        assert (tally.good, tally.failed) == (self.REQUESTS, 0)
        assert tally.latencies.sum_s >= self.least_sum_s > self.REQUESTS * self.NAP_S * 4
        assert tally.queued == max(0, self.REQUESTS - max_connections)

    def test_what_finds_no_connection_until_the_end_is_an_error(self, server):
        napping = target(server.port, body=b'{"s": 0.1}')

        tally = run_load(lambda: OpenLoop(napping, 1000, is_poisson=False, max_connections=1), 0.25)

        not_sent = tally.failures["not sent"]
        assert not_sent.first == "all 1 connections were taken"
        assert tally.good == tally.sent
        assert tally.good + not_sent.count == pytest.approx(250, abs=1)  # due every ms

    def test_connections_are_used_again(self, server):
        place = target(server.port, command="add")

        async def twice() -> tuple[Tally, Tally]:
            load = OpenLoop(place, 400, is_poisson=False)
            tallies = await load.run(LONG_S, 5), await load.run(LONG_S, 5)
            await load.close()
            return tallies

        first, second = on_loop(twice)

        assert (first.good, second.good) == (5, 5)
        assert second.lags.count >= 1, "the connections of the first run were not used"

    def test_random_gaps_keep_the_rate_and_repeat_with_their_seed(self, server):
        quick = target(server.port, command="add")

        def sent(seed: int) -> int:
            return run_load(lambda: OpenLoop(quick, 500, seed=seed), 1.0).sent

        first, again, other = sent(1), sent(1), sent(2)
        assert first == again
        assert first != other
        for count in (first, other):
            assert abs(count - 500) < 5 * 500**0.5  # five standard deviations
