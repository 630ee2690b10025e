"""Answers that are sent while the next batch runs: all there, all right, whatever comes between."""

from __future__ import annotations

import base64
import io
import os
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import requests
from PIL import Image

from tests.serve.test_look_ahead import counts, wait_for
from tests.serving import Served, serve
from tests.trust.conftest import worker_pids
from tests.trust.kinds import metric, wait_for_workers

FULL = 4  # what a batch of "work" holds

SCRIPT = """
import os, sys, threading, time
from pathlib import Path

import numpy as np

import runway
from runway.data_types import boolean, image, number, text, vector
from runway_serve.workers.overlap import Overlap

Overlap.is_wanted = lambda self, command: True
NUMBERS = np.zeros((4, 64))
PIXELS = np.zeros((4, 128, 128, 3), np.uint8)  # more than travels inside a message

@runway.setup(options={"plus": number(default=0)})
def setup(options):
    return options["plus"]

@runway.command("work", inputs={"n": number, "is_noted": boolean(default=False)},
                outputs={"numbers": vector(length=64)}, batch=True, max_batch_size=4)
def work(plus, batch):
    if len(batch) > 1 and any(item["n"] == 13 for item in batch):
        raise ValueError("run again one by one")
    if batch[0]["is_noted"]:
        with open(os.environ["RUNS"], "a") as log:
            log.writelines(f"{int(item['n'])}\\n" for item in batch)
    for row, item in enumerate(batch):
        if item["n"] < 0:
            batch[row] = ValueError("negative")
        NUMBERS[row] = item["n"] + plus
    time.sleep(0.003)
    return [item if isinstance(item, Exception) else NUMBERS[row] for row, item in enumerate(batch)]

@runway.command("paint", inputs={"picture": image, "is_reused": boolean},
                outputs={"picture": image(default_output_format="PNG")}, batch=True, max_batch_size=4)
def paint(plus, batch):
    painted = []
    for row, item in enumerate(batch):
        pixels = np.array(item["picture"]) + np.uint8(1)
        PIXELS[row] = pixels
        painted.append(PIXELS[row] if item["is_reused"] else pixels)
    time.sleep(0.003)
    return painted

@runway.command("hold", inputs={"path": text, "then": text(default="")}, outputs={"path": text},
                batch=True, max_batch_size=2)
def hold(plus, batch):
    for item in batch:
        while not Path(item["path"]).exists():
            time.sleep(0.002)
        if item["then"] == "exit":
            sys.exit(3)
    return [item["path"] for item in batch]

@runway.command("single", inputs={"n": number}, outputs={"n": number})
def single(plus, inputs):
    return inputs["n"] + plus

@runway.command("threads", inputs={"n": number}, outputs={"names": runway.any})
def threads(plus, inputs):
    return {"names": [thread.name for thread in threading.enumerate()]}

runway.run()
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("courier") / "runway_model.py"
    path.write_text(SCRIPT)
    return path


@pytest.fixture
def server(script: Path) -> Iterator[Served]:
    with serve(script, "--gpus", "none") as served:
        yield served


def has_courier(server: Served) -> bool:
    return "courier" in server.post("threads", {"n": 0}).json()["names"]


def test_every_answer_is_that_of_its_call(server):
    def is_right(index: int) -> bool:
        n = index % 50
        command, key = ("single", "n") if index % 17 == 0 else ("work", "numbers")
        answer = server.session.post(f"{server.url}/{command}", json={"n": n}, timeout=60)
        assert answer.status_code == 200, answer.text
        value = answer.json()[key]
        return value == n if command == "single" else set(value) == {n}

    with ThreadPoolExecutor(24) as pool:
        right = list(pool.map(is_right, range(1500)))

    assert right.count(False) == 0
    assert has_courier(server)


def picture(shade: int) -> str:
    data = io.BytesIO()
    Image.new("RGB", (128, 128), (shade, shade, shade)).save(data, "PNG")
    return "data:image/png;base64," + base64.b64encode(data.getvalue()).decode()


def shades(answer: requests.Response) -> set[int]:
    assert answer.status_code == 200, answer.text
    data = base64.b64decode(answer.json()["picture"].partition(",")[2])
    return set(np.unique(np.asarray(Image.open(io.BytesIO(data)))).tolist())


@pytest.mark.parametrize("is_reused", [True, False])
def test_every_picture_is_that_of_its_call(server, is_reused):
    given = [picture(shade) for shade in range(50)]

    def is_right(index: int) -> bool:
        body = {"picture": given[index % 50], "is_reused": is_reused}
        answer = server.session.post(f"{server.url}/paint", json=body, timeout=60)
        return shades(answer) == {index % 50 + 1}

    with ThreadPoolExecutor(24) as pool:
        right = list(pool.map(is_right, range(1500)))

    assert right.count(False) == 0
    assert has_courier(server)


def test_a_bad_call_fails_alone(server):
    def status(n: int) -> int:
        return server.session.post(f"{server.url}/work", json={"n": n}, timeout=60).status_code

    numbers = [-1 if index % 10 == 3 else index for index in range(400)]
    with ThreadPoolExecutor(24) as pool:
        codes = list(pool.map(status, numbers))

    assert [code == 500 for code in codes] == [n < 0 for n in numbers]


def test_a_client_that_leaves_costs_nobody_elses_answer(server):
    def is_right(n: int) -> bool:
        body = f'{{"n": {n}}}'.encode()
        head = f"POST /work HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        if n % 5 == 0:
            with socket.create_connection(("127.0.0.1", server.port)) as leaves:
                leaves.sendall(head + body)
            return True
        answer = server.session.post(f"{server.url}/work", json={"n": n}, timeout=60)
        return set(answer.json()["numbers"]) == {n}

    with ThreadPoolExecutor(24) as pool:
        right = list(pool.map(is_right, range(1000)))

    assert right.count(False) == 0
    assert has_courier(server)


def test_a_setup_between_batches_counts_from_then_on(server):
    def numbers(n: int) -> set[float]:
        answer = server.session.post(f"{server.url}/work", json={"n": n}, timeout=60)
        return set(answer.json()["numbers"])

    with ThreadPoolExecutor(24) as pool:
        seen = []
        for plus in (0, 1000, 2000):
            assert server.post("setup", {"plus": plus}).status_code == 200
            early = [pool.submit(numbers, n) for n in range(60)]
            seen.append({value - n for n, call in enumerate(early) for value in call.result()})

    assert seen == [{0}, {1000}, {2000}]


def test_a_killed_worker_costs_what_it_had_begun_and_nothing_runs_twice(script, tmp_path):
    log, two = tmp_path / "log", ("--gpus", "none", "--cpu-workers", "2")
    with serve(script, *two, env={"RUNS": str(log)}) as server:

        def answer(n: int) -> tuple[int, bool]:
            body = {"n": n, "is_noted": True}
            reply = server.session.post(f"{server.url}/work", json=body, timeout=60)
            is_right = reply.status_code != 200 or set(reply.json()["numbers"]) == {n}
            return reply.status_code, is_right

        with ThreadPoolExecutor(24) as pool:
            calls = [pool.submit(answer, n) for n in range(1000, 4000)]
            for count, share in enumerate((0.2, 0.4, 0.6), 1):
                wait_for(lambda s=share: sum(c.done() for c in calls) > s * len(calls), 60)
                os.kill(min(worker_pids(server)), signal.SIGKILL)
                # the next one is not killed before the front has this one's successor, or it might have none
                wait_for(lambda n=count: metric(server, "runway_worker_restarts_total") == n, 60)
                wait_for_workers(server, 2)
            results = [call.result() for call in calls]

    codes = [code for code, _ in results]
    assert all(is_right for _, is_right in results)
    assert set(codes) == {200, 500}
    # the batch that ran, and the one whose answers were on their way
    assert codes.count(500) <= 3 * 2 * FULL
    runs = log.read_text().split()
    assert len(runs) == len(set(runs))


def held_up(server: Served, pool: ThreadPoolExecutor, first: Path, second: Path, then: str = ""):
    """A call that runs until `first` is there, and two behind it at the worker that run until `second` is."""

    def hold(path: Path, then: str = "") -> requests.Response:
        body = {"path": str(path), "then": then}
        return requests.post(f"{server.url}/hold", json=body, timeout=60)

    held = pool.submit(hold, first)
    wait_for(lambda: counts(server) == (1, 0))
    behind = [pool.submit(hold, second, then) for _ in range(2)]
    wait_for(lambda: counts(server) == (3, 0))
    return held, behind


def test_answers_do_not_wait_for_the_next_batch(server, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    with ThreadPoolExecutor(3) as pool:
        held, behind = held_up(server, pool, first, second)
        first.touch()
        assert held.result(timeout=30).status_code == 200
        assert counts(server) == (2, 0)
        second.touch()
        assert [call.result(timeout=30).status_code for call in behind] == [200, 200]


def test_answers_are_sent_though_the_next_batch_ends_the_worker(server, tmp_path):
    path = tmp_path / "both"
    with ThreadPoolExecutor(3) as pool:
        held, behind = held_up(server, pool, path, path, "exit")
        path.touch()
        assert held.result(timeout=30).status_code == 200
        assert [call.result(timeout=30).status_code for call in behind] == [500, 500]

    wait_for(lambda: requests.get(f"{server.url}/ready", timeout=10).status_code == 200)
    assert server.post("single", {"n": 1}).json() == {"n": 1}
