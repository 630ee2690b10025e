"""Workers that die, cannot load, never end or take long to start: who is told what, and who lives on."""

from __future__ import annotations

import re
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.processes import ServerProcess, http_get, start_ready
from tests.serving import serve
from tests.trust.conftest import worker_pids
from tests.trust.kinds import (
    MODEL,
    ONE,
    SLACK_S,
    TWO,
    case,
    error_of,
    metric,
    wait_for,
    wait_for_workers,
    written,
)

STARTING = """
import time, runway
@runway.setup
def setup():
    {body}
@runway.command("half", inputs={{"x": runway.number}}, outputs={{"y": runway.number}})
def half(m, a): return a["x"] / 2
runway.run()
"""


@case(7)
def test_a_killed_worker_costs_one_request_and_no_other():
    with serve(MODEL, *TWO) as server, ThreadPoolExecutor(7) as pool:
        wait_for_workers(server, 2)
        before = worker_pids(server)
        began = time.monotonic()
        death = pool.submit(server.post, "end", {})
        naps = [pool.submit(server.post, "nap", {"s": 1}) for _ in range(6)]

        said = error_of(death.result(), 500, "Worker died while running this request (signal 9")

        assert "out of memory?" in said
        assert time.monotonic() - began < 2 + SLACK_S
        assert [nap.result().status_code for nap in naps] == [200] * 6
        wait_for_workers(server, 2)
        after = worker_pids(server)
        assert len(after - before) == 1 and len(before & after) == 1
        assert metric(server, "runway_worker_restarts_total") == 1


@case(8)
@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("raise RuntimeError('no weights')", "Error during setup: RuntimeError('no weights')."),
        ("import os; os.kill(os.getpid(), 9)", "signal 9"),
        ("import sys; sys.exit(4)", "4"),
    ],
    ids=["raises", "dies", "exits"],
)
def test_a_model_that_cannot_load_is_given_up(tmp_path, body: str, said: str):
    script = written(tmp_path, STARTING.format(body=body))
    flags = ["--setup-attempts", "3", "--gpus", "none"]

    def build(port: int) -> ServerProcess:
        import sys

        command = [sys.executable, "-m", "runway_serve", str(script), "--port", str(port), *flags]
        return ServerProcess(command, port=port)

    began = time.monotonic()
    server = start_ready(build, "/healthcheck", lambda status, _: status == 200, 30)
    try:
        import requests

        answer = requests.post(f"{server.url}/half", json={"x": 2}, timeout=5)
        error_of(answer, 503)
        assert server.process.wait(60) != 0
    finally:
        server.stop()
    assert time.monotonic() - began >= 1 + 2, "the pauses before a second and a third attempt"
    assert said in server.log()
    starts = len(re.findall(r"restart in|starts again|worker-0 lost|setup failed", server.log()))
    assert starts <= 6


@case(9)
def test_an_endless_run_is_ended_and_its_worker_replaced():
    with serve(MODEL, *TWO, "--command-timeout", "2") as server:
        wait_for_workers(server, 2)
        before = worker_pids(server)
        began = time.monotonic()

        error_of(server.post("nap", {"s": 3600}), 504, "2 s", "--command-timeout")

        assert 2 <= time.monotonic() - began < 4 + SLACK_S
        wait_for(lambda: len(worker_pids(server) - before) == 1)
        wait_for_workers(server, 2)
        assert len(before & worker_pids(server)) == 1
        assert metric(server, "runway_worker_restarts_total") == 1


@case(10)
def test_a_slow_setup_has_a_limit_of_its_own(tmp_path):
    script = written(tmp_path, STARTING.format(body="time.sleep(4)"))
    limits = ("--command-timeout", "1", "--request-timeout", "1", "--graceful-timeout", "1")

    with serve(script, *ONE, *limits) as server:
        assert server.post("half", {"x": 4}).json() == {"y": 2}
        assert metric(server, "runway_worker_restarts_total") == 0


@case(10)
def test_a_setup_over_its_limit_is_named(tmp_path):
    import subprocess
    import sys

    from tests.processes import free_port

    script = written(tmp_path, STARTING.format(body="time.sleep(600)"))
    flags = ["--setup-timeout", "1", "--setup-attempts", "1", "--gpus", "none"]
    ended = subprocess.run(
        [sys.executable, "-m", "runway_serve", str(script), *flags, "--port", str(free_port())],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == 1
    assert "--setup-timeout" in ended.stderr


@case(11)
def test_before_the_first_worker_is_ready_nothing_pretends_to_be(tmp_path):
    gate = tmp_path / "gate"
    body = f"import os\n    while not os.path.exists({str(gate)!r}): time.sleep(0.02)"
    script = written(tmp_path, STARTING.format(body=body))

    def build(port: int) -> ServerProcess:
        import sys

        command = [sys.executable, "-m", "runway_serve", str(script), "--port", str(port), *TWO]
        return ServerProcess(command, port=port)

    server = start_ready(build, "/healthcheck", lambda status, _: status == 200, 30)
    try:
        import json

        import requests

        for _ in range(3):
            assert http_get(server.port, "/healthcheck") == (200, b'{"status":"STARTING"}')
            status, ready = http_get(server.port, "/ready")
            found = json.loads(ready)
            assert (status, found["status"]) == (503, "STARTING")
            assert (found["workers"], found["workers_wanted"]) == (0, 2)
            error_of(requests.post(f"{server.url}/half", json={"x": 2}, timeout=5), 503)
        gate.touch()
        server.wait_until("/ready", lambda status, _: status == 200, 20)
        assert http_get(server.port, "/healthcheck") == (200, b'{"status":"RUNNING"}')
    finally:
        server.stop()
    assert not server.survivors


@case(39)
def test_at_sigterm_what_runs_is_answered_and_the_rest_refused():
    with (
        serve(MODEL, "--gpus", "none", "--cpu-workers", "4") as server,
        ThreadPoolExecutor(4) as pool,
    ):
        wait_for_workers(server, 4)
        naps = [pool.submit(server.post, "nap", {"s": 3}) for _ in range(4)]
        wait_for(lambda: server.get("/ready").json()["running"] == 4)
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        wait_for(lambda: server.get("/ready").status_code == 503, 2)
        error_of(server.post("half", {"x": 2}), 503)

        assert [nap.result().status_code for nap in naps] == [200] * 4
        assert server.process.wait(10) == 0
        assert time.monotonic() - began < 5 + SLACK_S


@case(39)
def test_a_second_signal_ends_it_at_once():
    with serve(MODEL, *ONE, exit_code=None) as server, ThreadPoolExecutor(1) as pool:
        nap = pool.submit(server.post, "nap", {"s": 60})
        wait_for(lambda: server.get("/ready").json()["running"] == 1)
        server.process.send_signal(signal.SIGTERM)
        wait_for(lambda: server.get("/ready").status_code == 503)
        server.process.send_signal(signal.SIGTERM)

        server.process.wait(8)
        assert nap.exception(10) is not None or nap.result().status_code >= 500


@case(39)
def test_workers_end_when_their_supervisor_is_killed():
    import psutil

    with serve(MODEL, *TWO, exit_code=None) as server:
        family = psutil.Process(server.process.pid).children(recursive=True)
        server.process.kill()

        assert psutil.wait_procs(family, timeout=5)[1] == []


@case(38)
def test_a_port_in_use_is_said_before_any_setup(two, tmp_path):
    import subprocess
    import sys

    mark = tmp_path / "setup-ran"
    script = written(tmp_path, STARTING.format(body=f"open({str(mark)!r}, 'w')"))
    ended = subprocess.run(
        [
            sys.executable,
            "-m",
            "runway_serve",
            str(script),
            "--port",
            str(two.port),
            "--gpus",
            "none",
        ],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert ended.returncode != 0
    assert f"port {two.port} is in use" in ended.stderr
    assert not mark.exists()
