"""The front dies, freezes or meets a slow setup; workers and options outlive it."""

from __future__ import annotations

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
import requests

from tests.serving import Served, serve

LIFE = Path(__file__).parents[1] / "scripts" / "life.py"
CPU = ("--gpus", "none", "--cpu-workers")


def front_processes(server: Served) -> list[psutil.Process]:
    """gunicorn's master and its worker, in this order."""
    (master,) = [
        child
        for child in psutil.Process(server.process.pid).children()
        if "runway_serve.front" in " ".join(child.cmdline())
    ]
    return [master, *master.children()]


def answer_again(server: Served, deadline_s: float = 20) -> dict[str, object]:
    """The first good answer of a front that comes back."""
    deadline = time.monotonic() + deadline_s
    while True:
        try:
            answer = requests.post(f"{server.url}/nap", json={"s": 0}, timeout=5)
            if answer.status_code == 200:
                return answer.json()
        except requests.RequestException:
            pass
        assert time.monotonic() < deadline, server.log()[-3000:]
        time.sleep(0.05)


@pytest.mark.parametrize("who", [[0], [1], [0, 1]], ids=["master", "worker", "both"])
def test_a_front_that_is_killed_comes_back_and_workers_stay(who):
    with serve(LIFE, *CPU, "1") as server:
        pid = server.post("nap", {"s": 0}).json()["pid"]
        processes = front_processes(server)

        for index in who:
            processes[index].kill()
        psutil.wait_procs([processes[index] for index in who], timeout=5)

        assert answer_again(server)["pid"] == pid


def test_options_of_a_setup_outlive_the_front():
    with serve(LIFE, *CPU, "2") as server:
        assert server.post("setup", {"tag": "second"}).status_code == 200

        for process in front_processes(server):
            process.kill()
        answer_again(server)

        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: server.post("nap", {"s": 0.3}).json(), range(4)))
        assert {answer["tag"] for answer in answers} == {"second"}
        assert len({answer["pid"] for answer in answers}) == 2


def test_a_front_that_dies_in_a_setup_leaves_no_worker_behind():
    with serve(LIFE, *CPU, "2") as server, ThreadPoolExecutor(1) as pool:
        asked = pool.submit(
            requests.post, f"{server.url}/setup", json={"tag": "second", "delay": 1}, timeout=20
        )
        deadline = time.monotonic() + 5
        while server.get("/healthcheck").json()["status"] == "RUNNING":
            assert time.monotonic() < deadline

        for process in front_processes(server):
            process.kill()

        assert isinstance(asked.exception(), requests.RequestException)
        answer_again(server)
        assert server.post("setup", {"tag": "third"}).status_code == 200
        with ThreadPoolExecutor(4) as naps:
            answers = list(naps.map(lambda _: server.post("nap", {"s": 0.3}).json(), range(4)))
        assert {answer["tag"] for answer in answers} == {"third"}
        assert len({answer["pid"] for answer in answers}) == 2


def test_a_setup_that_hangs_is_given_up_and_its_worker_replaced():
    with serve(LIFE, *CPU, "2", "--setup-timeout", "2") as server:
        late = server.post("setup", {"delay": 60})

        assert late.status_code == 504
        assert "--setup-timeout" in late.json()["error"]
        assert server.post("setup", {"tag": "after"}).status_code == 200
        assert server.post("nap", {"s": 0}).json()["tag"] == "after"


def test_a_stopped_supervisor_leaves_with_its_front():
    with serve(LIFE, *CPU, "1", exit_code=None) as server:
        processes = front_processes(server)

        server.process.send_signal(signal.SIGTERM)

        assert server.process.wait(10) == 0
        _, alive = psutil.wait_procs(processes, timeout=5)
        assert alive == []
