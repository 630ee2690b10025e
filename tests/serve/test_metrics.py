"""`GET /metrics` tells what the server did: every number is compared with what the clients saw."""
# ruff: noqa: F811  (pytest fixtures are arguments named like the import)

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from runway import __version__
from tests.fake_gpus import fake_gpus, gpu_uuid  # noqa: F401
from tests.processes import ServerProcess
from tests.serving import Served, serve, stopping

SCRIPTS = Path(__file__).parents[1] / "scripts"
LIFE = SCRIPTS / "life.py"
CPU = ("--gpus", "none", "--cpu-workers")
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples(server: Served) -> Samples:
    answer = server.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    found: Samples = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            key = sample.name, frozenset(sample.labels.items())
            assert key not in found, "a series twice"
            found[key] = sample.value
    return found


def value(found: Samples, name: str, **labels: str) -> float | None:
    return found.get((f"runway_{name}", frozenset(labels.items())))


def wait_for(server: Served, is_so: Callable[[Samples], bool], timeout_s: float = 20) -> Samples:
    deadline = time.monotonic() + timeout_s
    while not is_so(found := samples(server)):
        assert time.monotonic() < deadline, (found, server.log()[-2000:])
        time.sleep(0.02)
    return found


def codes(found: Samples, command: str) -> dict[str, float]:
    """Counts by code, those of 0 left out."""
    return {
        labels["code"]: count
        for (name, pairs), count in found.items()
        if name == "runway_requests_total" and (labels := dict(pairs))["command"] == command
        if count
    }


def test_counts_equal_what_was_sent_and_batches_what_was_answered():
    with serve(LIFE, *CPU, "1") as server, ThreadPoolExecutor(24) as pool:
        halves = [server.post("half", {"x": x}).status_code for x in (1, 2, 3, 66, 101, "x")]
        assert server.post("nope", {"x": 1}).status_code == 404
        answers = list(pool.map(lambda x: server.post("double", {"x": 100 + x}), range(24)))
        found = samples(server)

    assert (
        codes(found, "half")
        == {"200": 3, "400": 2, "500": 1}
        == {str(k): n for k, n in Counter(halves).items()}
    )
    assert codes(found, "double") == {"200": 24}
    assert [answer.status_code for answer in answers] == [200] * 24
    by_size = Counter(answer.json()["size"] for answer in answers)
    batches = {
        size: count // size for size, count in by_size.items()
    }  # each answer tells its batch's size
    assert max(batches) > 1
    total = sum(batches.values())
    assert value(found, "batch_size_sum", command="double") == 24
    assert value(found, "batch_size_count", command="double") == total
    for bound in (1, 2, 4, 8, 128):
        expected = sum(count for size, count in batches.items() if size <= bound)
        assert value(found, "batch_size_bucket", command="double", le=str(bound)) == expected
    assert value(found, "queue_wait_seconds_count", command="double") == 24
    assert value(found, "encode_seconds_count", command="double") == 24
    assert value(found, "run_seconds_count", command="double") == total
    assert value(found, "run_seconds_bucket", command="double", le="+Inf") == total
    assert (
        value(found, "run_seconds_bucket", command="double", le="0.032768") == 0
    )  # it sleeps 50 ms
    assert value(found, "run_seconds_sum", command="double") >= 0.05 * total
    commands = {dict(labels).get("command") for _, labels in found} - {None}
    assert commands == {"half", "nap", "end", "steps", "double", "environment"}


def test_waiting_running_and_cancelled_calls_are_seen():
    with serve(LIFE, *CPU, "1") as server, ThreadPoolExecutor(4) as pool:
        naps = [pool.submit(server.post, "nap", {"s": 1}) for _ in range(2)]
        wait_for(
            server,
            lambda found: (
                value(found, "tasks_running", command="nap") == 1
                and value(found, "queue_depth", command="nap") == 1
            ),
        )

        with pytest.raises(requests.exceptions.ReadTimeout):
            requests.post(f"{server.url}/nap", json={"s": 1}, timeout=0.3)
        assert [nap.result().status_code for nap in naps] == [200, 200]

        found = wait_for(server, lambda found: codes(found, "nap") == {"200": 2, "499": 1})
        assert value(found, "tasks_running", command="nap") == 0
        assert value(found, "queue_depth", command="nap") == 0
        waited_s = value(found, "queue_wait_seconds_sum", command="nap")
        assert waited_s is not None and waited_s > 0.5


def test_refusals_of_a_full_queue_are_counted():
    with serve(LIFE, *CPU, "1", "--max-queue", "2") as server, ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: server.post("nap", {"s": 0.5}), range(12)))
        found = samples(server)

    counted = Counter(str(answer.status_code) for answer in answers)
    assert counted["503"] > 0
    assert codes(found, "nap") == counted
    assert value(found, "refusals_total", reason="queue_full") == counted["503"]
    assert value(found, "refusals_total", reason="no_worker") == 0


def test_restarts_are_counted_by_what_ended_the_worker():
    with serve(LIFE, *CPU, "1", "--command-timeout", "0.5") as server:

        def restarted(reason: str) -> Samples:
            labels = {"worker": "worker-0", "device": "cpu"}
            return wait_for(
                server,
                lambda found: (
                    value(found, "worker_restarts_total", **labels, reason=reason) == 1
                    and value(found, "worker_state", **labels, state="ready") == 1
                ),
            )

        psutil.Process(server.post("nap", {"s": 0}).json()["pid"]).kill()
        refused = 0
        while (answer := server.post("nap", {"s": 0})).status_code != 200:
            refused += "No worker is ready yet" in answer.text
        found = restarted("signal 9")
        assert value(found, "refusals_total", reason="no_worker") == refused
        server.post("end", {"how": "exit"})
        restarted("exit code 3")
        assert server.post("nap", {"s": 60}).status_code == 504
        found = restarted("command_timeout")

    assert codes(found, "nap")["504"] == 1
    assert codes(found, "end") == {"500": 1}
    assert value(found, "worker_state", worker="worker-0", device="cpu", state="lost") == 0


def test_a_server_that_still_starts_shows_its_workers():
    def build(port: int) -> ServerProcess:
        options = ["--gpus", "none", "--model-options", '{"delay": 1}']
        command = [sys.executable, "-m", "runway_serve", str(LIFE), "--port", str(port), *options]
        return ServerProcess(command, port=port)

    with stopping(build, "/metrics", lambda status, _: status == 200, 60, 0) as server:
        wait_for(
            server,
            lambda found: (
                value(found, "worker_state", worker="worker-0", device="cpu", state="loaded") == 1
            ),
        )


def test_any_name_of_a_command_is_a_label(tmp_path):
    names = ['a"b', "line\nbreak", "back\\slash", "\u00fcber {x}", "lone \ud800"]
    script = tmp_path / "runway_model.py"
    script.write_text(
        "import runway\nfrom runway.data_types import number\n"
        f"for name in {names!a}:\n"
        "    runway.command(name, inputs={'x': number}, outputs={'y': number})(lambda m, i: i['x'])\n"
        "runway.run()\n"
    )

    with serve(script, *CPU, "1") as server:
        assert requests.post(f"{server.url}/%C3%BCber {{x}}", json={"x": 1}, timeout=10).ok
        found = samples(server)

    labels = {dict(pairs)["command"] for name, pairs in found if name == "runway_queue_depth"}
    assert labels == {*names[:-1], "lone \\ud800"}
    assert codes(found, "\u00fcber {x}") == {"200": 1}


def test_cards_are_read_by_uuid_and_a_lost_one_is_left_out(fake_gpus, tmp_path):
    state = tmp_path / "state"
    state.write_text("0 used_mb 1024\n0 util 25\n1 used_mb 2048\n1 util 100\n")
    env = fake_gpus(2, mem_mb=8192, state=state)
    one, two = gpu_uuid(0), gpu_uuid(1)

    with serve(SCRIPTS / "card.py", env=env) as server:
        found = samples(server)
        assert value(found, "gpu_memory_used_bytes", uuid=one) == 1024 << 20
        assert value(found, "gpu_memory_used_bytes", uuid=two) == 2048 << 20
        assert value(found, "gpu_memory_total_bytes", uuid=two) == 8192 << 20
        assert value(found, "gpu_utilization_ratio", uuid=one) == 0.25
        assert value(found, "gpu_utilization_ratio", uuid=two) == 1

        state.write_text("0 used_mb 512\n0 util 0\n1 lost 1\n")

        found = wait_for(
            server, lambda found: value(found, "gpu_memory_used_bytes", uuid=two) is None
        )
        assert value(found, "gpu_memory_used_bytes", uuid=one) == 512 << 20
        assert value(found, "worker_state", worker="worker-1", device=two, state="ready") == 1


def test_the_front_tells_of_itself_and_without_cards_of_none():
    with serve(LIFE, *CPU, "1") as server:
        found = samples(server)

    build = {key: count for key, count in found.items() if key[0] == "runway_build_info"}
    ((_, labels),) = build
    assert dict(labels)["version"] == __version__
    assert list(build.values()) == [1]
    assert found["process_cpu_seconds_total", frozenset()] > 0
    assert found["process_resident_memory_bytes", frozenset()] > 10 << 20
    assert not [name for name, _ in found if name.startswith("runway_gpu_")]


def test_bodies_that_are_too_large_are_counted_on_every_way_in():
    with serve(LIFE, *CPU, "1", "--max-body-mb", "0.1") as server:
        body = {"x": "a" * 200_000}
        ways: list[dict[str, str]] = [
            {},
            {"Prefer": "respond-async"},
            {"Accept": "text/event-stream"},
            {"Content-Encoding": "identity"},
        ]
        for headers in ways:
            assert server.post("half", body, headers=headers).status_code == 413
            assert server.get("/meta").status_code == 200
        pieces = iter([b"a" * 150_000, b"b" * 100_000])
        assert server.session.post(f"{server.url}/half", data=pieces, timeout=10).status_code == 413
        found = samples(server)

    assert codes(found, "half") == {"413": len(ways) + 1}


def test_a_job_too_many_is_a_refusal():
    with serve(LIFE, *CPU, "1", "--max-jobs", "1") as server:
        naps = [
            server.post("nap", {"s": 0.5}, headers={"Prefer": "respond-async"}) for _ in range(3)
        ]
        found = wait_for(server, lambda found: codes(found, "nap") == {"200": 1, "503": 2})

    assert [nap.status_code for nap in naps] == [202, 503, 503]
    assert all(nap.headers["Retry-After"] and "--max-jobs" in nap.text for nap in naps[1:])
    assert value(found, "refusals_total", reason="jobs") == 2
