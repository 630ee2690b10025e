"""A worker that runs a batch is sent the next full one, which is safe until it begins."""

from __future__ import annotations

import json
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Event

import psutil
import pytest
import requests

from tests.serving import Served, serve

BATCHES = Path(__file__).parents[1] / "scripts" / "batches.py"
CPU = ("--gpus", "none")
FULL = 4  # what a batch of that script holds


def wait_for(is_so: Callable[[], bool], timeout_s: float = 15.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def begun(log: Path) -> list[int]:
    return [int(line) for line in log.read_text().split()] if log.exists() else []


def counts(server: Served) -> tuple[int, int]:
    """Calls at workers and in the queue."""
    ready = requests.get(f"{server.url}/ready", timeout=10).json()
    return ready["running"], ready["queued"]


def send(pool: ThreadPoolExecutor, server: Served, log: Path, n: int, s: float) -> Future[int]:
    body = {"n": n, "s": s, "log": str(log)}
    return pool.submit(
        lambda: requests.post(f"{server.url}/work", json=body, timeout=30).status_code
    )


def test_the_next_full_batch_is_at_the_worker_and_the_rest_waits(tmp_path):
    log = tmp_path / "log"
    with serve(BATCHES, *CPU) as server, ThreadPoolExecutor(16) as pool:
        first = send(pool, server, log, 0, 1.0)
        wait_for(lambda: begun(log) == [0])
        others = [send(pool, server, log, n, 0.05) for n in range(1, 2 * FULL)]
        wait_for(lambda: counts(server) == (1 + FULL, FULL - 1))

        assert {call.result() for call in [first, *others]} == {200}
        assert sorted(begun(log)) == list(range(2 * FULL))


TURNS = """
import time
import runway

@runway.command("work", inputs={"s": runway.number}, outputs={"size": runway.number}, batch=True, max_batch_size=7)
def work(model, batch):
    time.sleep(max(item["s"] for item in batch))
    return [len(batch)] * len(batch)

runway.run()
"""


def test_where_batches_take_turns_the_next_is_at_the_worker_before_the_present_one_ends(tmp_path):
    script = tmp_path / "turns.py"
    script.write_text(TURNS)
    run_s, thinks_s, rounds = 0.050, 0.035, 15  # one thinks while the other's call runs
    is_held, is_over = Event(), Event()
    with serve(script, *CPU, "--cpu-workers", "1") as server, ThreadPoolExecutor(2) as pool:

        def work(s: float) -> int:
            answer = requests.post(f"{server.url}/work", json={"s": s}, timeout=30)
            return int(answer.json()["size"])

        def first() -> int:
            for _ in range(rounds):
                work(run_s)
                time.sleep(thinks_s)
            is_held.set()
            return work(2.0)

        def second() -> set[int]:
            time.sleep(run_s / 2)
            sizes = set()
            while not is_over.is_set():
                sizes.add(work(run_s))
                time.sleep(thinks_s)
            return sizes

        held, others = pool.submit(first), pool.submit(second)
        try:
            assert is_held.wait(30)
            wait_for(lambda: counts(server) == (2, 0))
            assert held.result() == 1
        finally:
            is_over.set()
        assert 1 in others.result()


def test_a_worker_that_dies_loses_only_the_batch_it_began(tmp_path):
    log = tmp_path / "log"
    with serve(BATCHES, *CPU) as server, ThreadPoolExecutor(16) as pool:
        calls = {0: send(pool, server, log, 0, 60.0)}
        wait_for(lambda: begun(log) == [0])
        calls |= {n: send(pool, server, log, n, 0.05) for n in range(1, 2 * FULL + 1)}
        wait_for(lambda: counts(server) == (1 + FULL, FULL))
        (worker,) = [
            child
            for child in psutil.Process(server.process.pid).children()
            if "runway_serve.workers" in child.cmdline()
        ]
        worker.send_signal(signal.SIGKILL)
        codes = {n: call.result() for n, call in calls.items()}

    assert codes == {0: 500, **dict.fromkeys(range(1, 2 * FULL + 1), 200)}
    assert Counter(begun(log)) == dict.fromkeys(range(2 * FULL + 1), 1)


def test_a_call_that_is_cancelled_in_the_next_batch_never_runs(tmp_path):
    log = tmp_path / "log"
    with serve(BATCHES, *CPU) as server, ThreadPoolExecutor(16) as pool:
        first = send(pool, server, log, 0, 1.0)
        wait_for(lambda: begun(log) == [0])
        body = json.dumps({"n": 99, "s": 0, "log": str(log)}).encode()
        with socket.create_connection(("127.0.0.1", server.port)) as leaving:
            head = b"POST /work HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
            leaving.sendall(head + body)
            wait_for(lambda: counts(server) == (1, 1))
            others = [send(pool, server, log, n, 0.05) for n in range(1, FULL)]
            wait_for(lambda: counts(server) == (1 + FULL, 0))
        assert {call.result() for call in [first, *others]} == {200}
        assert sorted(begun(log)) == list(range(FULL))


@pytest.mark.parametrize("s", [0.7])
def test_the_limit_of_a_command_counts_from_the_batch_that_runs(tmp_path, s):
    log = tmp_path / "log"
    with (
        serve(BATCHES, *CPU, "--command-timeout", str(1.5 * s)) as server,
        ThreadPoolExecutor(16) as pool,
    ):
        first = send(pool, server, log, 0, s)
        wait_for(lambda: begun(log) == [0])
        others = [send(pool, server, log, n, s) for n in range(1, FULL + 1)]
        assert {call.result() for call in [first, *others]} == {200}
