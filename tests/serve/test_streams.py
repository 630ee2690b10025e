"""Streams through worker processes: order, cancellation, clients that leave, workers that die."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import websocket

from tests.serving import Served, serve

LIFE = Path(__file__).parents[1] / "scripts" / "life.py"
CPU = ("--gpus", "none", "--cpu-workers")
STEP_S = 0.1  # of the script's stream
SLACK_S = 1.0  # for a busy machine
Message = dict[str, Any]


class Jobs:
    """A WebSocket that submits jobs; messages are handed out in the order they came."""

    def __init__(self, port: int) -> None:
        url = f"ws://127.0.0.1:{port}/"
        self.socket = websocket.create_connection(url, timeout=10, http_proxy_host=None)

    def submit(self, job: str, command: str, **inputs: object) -> None:
        self.send({"type": "submit", "id": job, "command": command, "inputData": inputs})

    def cancel(self, job: str) -> None:
        self.send({"type": "cancel", "id": job})

    def send(self, message: Message) -> None:
        self.socket.send(json.dumps(message))

    def next(self) -> Message:
        return json.loads(self.socket.recv())

    def until(self, job: str, *kinds: str) -> list[Message]:
        """All messages up to the first of `kinds` for `job`."""
        messages = [self.next()]
        while messages[-1]["id"] != job or messages[-1]["type"] not in kinds:
            messages.append(self.next())
        return messages

    def close(self) -> None:
        self.socket.close()


@contextmanager
def connected(server: Served) -> Iterator[Jobs]:
    with closing(Jobs(server.port)) as jobs:
        yield jobs


@pytest.fixture(scope="module")
def one():
    with serve(LIFE, *CPU, "1") as server:
        yield server


@pytest.fixture(scope="module")
def two():
    with serve(LIFE, *CPU, "2") as server:
        wait_for(lambda: server.get("/ready").json()["workers"] == 2)
        yield server


@pytest.fixture
def log(tmp_path) -> Path:
    """Where a stream of the script writes that its `finally` ran."""
    return tmp_path / "log"


@pytest.fixture
def job(request) -> str:
    """An id that no other test uses, as a server takes each only once."""
    return request.node.name


def wait_for(is_so: Callable[[], bool], timeout_s: float = 10.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def steps_of(messages: list[Message], job: str) -> list[int]:
    return [m["outputData"]["i"] for m in messages if m["type"] == "output" and m["id"] == job]


def test_steps_arrive_as_they_are_made(one, job, log):
    with connected(one) as jobs:
        jobs.submit(job, "steps", n=4, log=str(log))
        arrivals = []
        for _ in range(6):
            arrivals.append((jobs.next(), time.monotonic()))

    messages = [message for message, _ in arrivals]
    assert [m["type"] for m in messages] == ["started", *["output"] * 4, "succeeded"]
    assert steps_of(messages, job) == [0, 1, 2, 3]
    assert [m["progress"] for m in messages[1:5]] == [0, 0.25, 0.5, 0.75]
    times = [moment for _, moment in arrivals]
    assert times[4] - times[1] > 2 * STEP_S, "the steps came together at the end"
    assert messages[-1]["timeElapsed"] >= 4 * STEP_S * 1000
    assert log.read_text() == "closed\n"


def test_a_client_that_leaves_ends_its_stream(one, job, log):
    with connected(one) as jobs:
        jobs.submit(job, "steps", n=600, log=str(log))
        while jobs.next()["type"] != "output":
            pass

    wait_for(log.exists, STEP_S + SLACK_S)
    assert log.read_text() == "closed\n"
    assert one.post("nap", {"s": 0}).status_code == 200


def test_a_cancelled_stream_ends_and_says_so(one, job, log):
    with connected(one) as jobs:
        jobs.submit(job, "steps", n=600, log=str(log))
        jobs.until(job, "output")

        jobs.cancel(job)

        assert {m["type"] for m in jobs.until(job, "cancelled")} <= {"output", "cancelled"}
        wait_for(log.exists, STEP_S + SLACK_S)
        jobs.submit(f"{job} after", "half", x=8)
        rest = jobs.until(f"{job} after", "succeeded")
        assert {m["id"] for m in rest} == {f"{job} after"}, "nothing follows a cancelled job"


def test_a_job_that_is_cancelled_in_the_queue_never_runs(one, job, log):
    with connected(one) as jobs:
        jobs.submit(f"{job} first", "nap", s=0.8)
        wait_for(lambda: one.get("/ready").json()["running"] == 1)
        jobs.submit(job, "steps", n=1, log=str(log))
        wait_for(lambda: one.get("/ready").json()["queued"] == 1)

        jobs.cancel(job)

        jobs.until(job, "cancelled")
        assert one.get("/ready").json()["queued"] == 0
        jobs.until(f"{job} first", "succeeded")
        assert one.post("nap", {"s": 0}).status_code == 200  # the worker is past that turn
        assert not log.exists()


def test_leaving_drops_the_jobs_that_wait(one, job, log):
    with connected(one) as jobs:
        jobs.submit(f"{job} first", "nap", s=0.8)
        wait_for(lambda: one.get("/ready").json()["running"] == 1)
        for index in range(5):
            jobs.submit(f"{job} {index}", "steps", n=50, log=str(log))
        wait_for(lambda: one.get("/ready").json()["queued"] == 5)

    wait_for(lambda: one.get("/ready").json()["queued"] == 0, SLACK_S)
    assert one.post("nap", {"s": 0}).status_code == 200
    assert not log.exists()


def test_a_short_call_does_not_wait_for_a_stream_elsewhere(two, job, log):
    with connected(two) as jobs:
        jobs.submit(job, "steps", n=600, log=str(log))
        jobs.until(job, "output")

        began = time.monotonic()
        assert two.post("half", {"x": 8}).json() == {"y": 4}

        assert time.monotonic() - began < SLACK_S
        jobs.until(job, "output")  # it still runs
    wait_for(log.exists, STEP_S + SLACK_S)


def test_a_generator_over_http_answers_with_its_last_step(two):
    answer = two.post("steps", {"n": 3, "log": ""})

    assert answer.status_code == 200
    assert answer.json()["i"] == 2


def test_a_generator_that_yields_nothing_is_an_error_over_http_alone(two, job):
    assert two.post("steps", {"n": 0, "log": ""}).status_code == 500
    with connected(two) as jobs:
        jobs.submit(job, "steps", n=0, log="")
        assert [m["type"] for m in jobs.until(job, "succeeded")] == ["started", "succeeded"]


def test_jobs_interleave_and_each_keeps_its_order(two, job):
    names = [f"{job} a", f"{job} b"]
    with connected(two) as jobs:
        for name in names:
            jobs.submit(name, "steps", n=8, log="")
        messages = jobs.until(names[0], "succeeded")
        if not any(m["type"] == "succeeded" and m["id"] == names[1] for m in messages):
            messages += jobs.until(names[1], "succeeded")

    for name in names:
        own = [m for m in messages if m["id"] == name]
        assert [m["type"] for m in own] == ["started", *["output"] * 8, "succeeded"]
        assert steps_of(own, name) == list(range(8))
    sources = [m["id"] for m in messages if m["type"] == "output"]
    assert sources != sorted(sources), "the two workers' steps do not alternate"


def test_a_worker_that_dies_while_streaming_fails_the_job(two, job, log):
    with connected(two) as jobs:
        jobs.submit(job, "steps", n=600, log=str(log))
        pid = jobs.until(job, "output")[-1]["outputData"]["pid"]

        os.kill(pid, signal.SIGKILL)

        last = jobs.until(job, "failed", "succeeded")[-1]
        assert last["type"] == "failed"
        assert "Worker died while running this request (signal 9" in last["error"]
        jobs.submit(f"{job} after", "half", x=8)
        assert jobs.until(f"{job} after", "succeeded")[-2]["outputData"] == {"y": 4}
    wait_for(lambda: two.get("/ready").json()["workers"] == 2)
