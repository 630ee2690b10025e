"""What is asked of the server beside the load: batch sizes, its process, its answer to one request."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Iterator

import prometheus_client
import pytest

from runway_serve.bench.listener import listening_pid
from runway_serve.bench.precise_timer import PreciseTimer
from runway_serve.bench.server import BatchSizes, batch_sizes, server_pid
from runway_serve.bench.target import BenchError, Target
from tests.processes import free_port
from tests.serve.bench.conftest import behaving


def target(url: str, command: str = "add") -> Target:
    return Target.of(url, command, b"{}", timeout_s=10)


@pytest.fixture
def metrics() -> Iterator[tuple[str, prometheus_client.Histogram]]:
    """URL of a server with Prometheus' own text of this histogram."""
    registry = prometheus_client.CollectorRegistry()
    histogram = prometheus_client.Histogram(
        "runway_batch_size", "Calls.", ["command"], registry=registry, buckets=(1, 4, 8)
    )
    server, thread = prometheus_client.start_http_server(0, "127.0.0.1", registry)
    yield f"http://127.0.0.1:{server.server_port}", histogram
    server.shutdown()
    server.server_close()
    thread.join()


class TestBatchSizes:
    def test_are_those_of_the_command_since_the_earlier_look(self, metrics):
        url, histogram = metrics
        for size in (1, 1, 8):
            histogram.labels(command="add").observe(size)
        before = batch_sizes(target(url))
        for size in (2, 4, 6):
            histogram.labels(command="add").observe(size)
        histogram.labels(command="other").observe(100)

        added = batch_sizes(target(url)).since(before)

        assert (added.calls, added.batches, added.mean) == (12, 3, 4)
        assert added.buckets == {1: 0, 4: 2, 8: 1, float("inf"): 0}

    def test_nothing_was_added(self, metrics):
        url, histogram = metrics
        histogram.labels(command="add").observe(1)
        before = batch_sizes(target(url))

        assert batch_sizes(target(url)).since(before) is None

    def test_counts_that_began_anew_say_nothing(self):
        assert BatchSizes(calls=5, batches=5).since(BatchSizes(calls=90, batches=9)) is None

    @pytest.mark.parametrize(
        "answer",
        [
            b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n<html></html>",
            b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nother 1\n",
        ],
    )
    def test_a_server_without_them(self, answer):
        with behaving(lambda connection: connection.sendall(answer)) as port:
            assert batch_sizes(target(f"http://127.0.0.1:{port}")) is None


class TestProcess:
    def test_is_the_one_above_all_that_hold_the_socket(self, server):
        assert server_pid(target(server.url)) == server.process.pid

    @pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
    def test_any_address_family(self, family):
        with socket.create_server(("", 0), family=family) as listener:
            assert listening_pid(listener.getsockname()[1]) == os.getpid()

    def test_nobody_listens(self):
        assert listening_pid(free_port()) is None

    def test_is_not_looked_for_elsewhere(self):
        assert server_pid(target("http://192.0.2.1:9000")) is None


class TestTarget:
    def test_request_is_whole_http(self):
        place = Target.of("[::1]:9000/model/", "do it", b'{"a": 1}', {"X-Token": "t"})

        assert place.request() == (
            b"POST /model/do%20it HTTP/1.1\r\nHost: [::1]:9000\r\nContent-Type: application/json\r\n"
            b'X-Token: t\r\nContent-Length: 8\r\n\r\n{"a": 1}'
        )

    def test_a_given_content_type_replaces_ours(self):
        place = Target.of("h", "c", b"", {"content-type": "application/x-other"})

        assert place.request().lower().count(b"content-type") == 1

    @pytest.mark.parametrize(
        ("answer", "message"),
        [
            (b"SSH-2.0-OpenSSH\r\n", "does not answer as HTTP has it"),
            (b"", "cannot be reached|does not answer as HTTP has it"),
        ],
    )
    def test_what_is_no_http_server(self, answer, message):
        with (
            behaving(lambda connection: connection.sendall(answer)) as port,
            pytest.raises(BenchError, match=message),
        ):
            target(f"http://127.0.0.1:{port}").get("/")


class TestPreciseTimer:
    def test_wakes_in_order_and_never_early(self):
        async def run() -> list[float]:
            woken = asyncio.Event()
            timer = PreciseTimer(woken.set)
            lags = []
            for wait_s in (0.0, 0.0005, 0.01):
                at = time.monotonic() + wait_s
                timer.set(time.monotonic() + 100)
                timer.set(at)
                await asyncio.wait_for(woken.wait(), 10)
                lags.append(time.monotonic() - at)
                woken.clear()
            timer.close()
            return lags

        assert min(asyncio.run(run())) >= 0
