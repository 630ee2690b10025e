"""More clients, more bytes, more time than there is room for: refused at once, in words, and memory stays."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress

import requests
import websocket

from tests.serving import Served, serve
from tests.trust.kinds import (
    MB,
    MODEL,
    ONE,
    SLACK_BYTES,
    SLACK_S,
    TWO,
    case,
    error_of,
    front_memory,
    metric,
    raw,
    wait_for,
    wait_for_workers,
    written,
)


@case(22)
def test_a_burst_is_taken_up_to_the_limit_and_refused_beyond():
    with serve(MODEL, *TWO, "--max-queue", "16") as server, ThreadPoolExecutor(100) as pool:
        wait_for_workers(server, 2)
        server.post("nap", {"s": 0})

        def nap(_: int) -> tuple[requests.Response, float]:
            began = time.monotonic()
            answer = requests.post(f"{server.url}/nap", json={"s": 1}, timeout=60)
            return answer, time.monotonic() - began

        answers = list(pool.map(nap, range(100)))

        refused = [(answer, took_s) for answer, took_s in answers if answer.status_code == 503]
        taken = [answer for answer, _ in answers if answer.status_code == 200]
        assert len(refused) + len(taken) == 100
        assert 16 <= len(taken) <= 16 + 2 + 2
        for answer, took_s in refused:
            error_of(answer, 503, "16 calls of nap", "--max-queue")
            assert took_s < 1 + SLACK_S, "it waited before it was refused"
        assert metric(server, "runway_refusals_total", reason="queue_full") == len(refused)


@case(19)
def test_a_client_that_leaves_frees_its_place():
    with serve(MODEL, *ONE) as server:

        def leave(_: int) -> None:
            with suppress(requests.exceptions.ReadTimeout):
                requests.post(f"{server.url}/nap", json={"s": 1}, timeout=0.3)

        with ThreadPoolExecutor(20) as pool:
            list(pool.map(leave, range(20)))
        began = time.monotonic()

        assert server.post("nap", {"s": 0}).status_code == 200

        assert time.monotonic() - began < 3 + SLACK_S
        wait_for(lambda: metric(server, "runway_queue_depth") == 0)


@case(20)
def test_a_client_that_leaves_a_stream_ends_it(tmp_path):
    closed = tmp_path / "closed"
    source = f"""
import time, runway
@runway.command("steps", inputs={{"n": runway.number}}, outputs={{"i": runway.number}})
def steps(m, a):
    try:
        for i in range(int(a["n"])):
            time.sleep(0.2); yield {{"i": i}}, i / a["n"]
    finally:
        open({str(closed)!r}, "w").close()
@runway.command("half", inputs={{"x": runway.number}}, outputs={{"y": runway.number}})
def half(m, a): return a["x"] / 2
runway.run()
"""
    with serve(written(tmp_path, source), *ONE) as server:
        with closing(websocket.create_connection(f"ws://127.0.0.1:{server.port}/")) as stream:
            job = {"type": "submit", "command": "steps", "inputData": {"n": 100}}
            stream.send(json.dumps(job))
            outputs = 0
            while outputs < 3:
                outputs += json.loads(stream.recv())["type"] == "output"

        wait_for(closed.exists, 2)
        assert server.post("half", {"x": 4}).json() == {"y": 2}


@case(21)
def test_a_call_that_waits_too_long_is_told_in_time():
    with serve(MODEL, *ONE, "--request-timeout", "2") as server, ThreadPoolExecutor(1) as pool:
        pool.submit(server.post, "nap", {"s": 6})
        wait_for(lambda: server.get("/ready").json()["running"] == 1)
        began = time.monotonic()

        error_of(server.post("nap", {"s": 0}), 504, "2 s", "--request-timeout")

        assert 1.9 <= time.monotonic() - began < 4 + SLACK_S


KEEPER = """
import time, runway
@runway.command("keep", inputs={"t": runway.text}, outputs={"n": runway.number})
def keep(m, a):
    time.sleep(0.3); return len(a["t"])
runway.run()
"""


def test_inputs_that_wait_have_a_limit_together(tmp_path):
    limits = ("--max-pending-mb", "3", "--max-body-mb", "2")
    script = written(tmp_path, KEEPER)
    with serve(script, *ONE, *limits) as server, ThreadPoolExecutor(12) as pool:
        body = json.dumps({"t": "x" * MB}).encode()
        answers = list(pool.map(lambda _: raw(server, "/keep", body), range(12)))

        refused = [answer for answer in answers if answer.status_code == 503]
        assert refused and {answer.status_code for answer in answers} == {200, 503}
        for answer in refused:
            error_of(answer, 503, "--max-pending-mb")
        assert raw(server, "/keep", body).json() == {"n": MB}


def test_memory_is_flat_under_a_flood_of_ten_times_the_room():
    limits = ("--max-queue", "8", "--max-pending-mb", "16")
    with serve(MODEL, *TWO, *limits) as server:
        wait_for_workers(server, 2)
        body = json.dumps({"s": 0.02}).encode() + b" " * MB

        def flood(count: int) -> set[int]:
            with ThreadPoolExecutor(100) as pool:
                codes = pool.map(
                    lambda _: requests.post(f"{server.url}/nap", data=body, timeout=60).status_code,
                    range(count),
                )
                return set(codes)

        assert flood(200) <= {200, 503}
        warm = front_memory(server)
        assert flood(600) == {200, 503}
        assert front_memory(server) - warm < SLACK_BYTES


@case(37)
def test_addresses_hold_below_a_path_of_a_proxy(two: Served):
    """What the server says of itself names no host, no scheme and no absolute path; a proxy may put it anywhere."""
    for path in ("/meta", "/", "/healthcheck", "/setup"):
        answer = two.get(path)
        assert "Location" not in answer.headers
        assert f":{two.port}" not in answer.text
