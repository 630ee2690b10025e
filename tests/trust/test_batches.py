"""Requests that share a run: a bad one fails alone, nobody gets another one's answer, streams do not hold others up."""

from __future__ import annotations

import base64
import io
import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
import websocket
from PIL import Image

from tests.serving import Served, serve
from tests.trust.kinds import ONE, SLACK_S, case, error_of, metric, written

BATCHED = """
import time, runway
from runway.data_types import number
@runway.command("half", inputs={"x": number(min=0, max=100)}, outputs={"y": number}, batch=True, max_batch_size=8)
def half(m, items):
    time.sleep(0.1)
    if any(a["x"] == 66 for a in items): raise ValueError("unlucky")
    return [{"y": a["x"] / 2} for a in items]
@runway.command("wrong", inputs={"x": number}, outputs={"y": number}, batch=True, max_batch_size=4)
def wrong(m, items):
    time.sleep(0.1)
    return {0: [], 1: items[:-1] + [0] * 2, 2: None, 3: 5, 4: "text"}[int(items[0]["x"])]
@runway.command("short", inputs={"x": number}, outputs={"y": number}, batch=True, max_batch_size=4, max_wait_ms=50)
def short(m, items):
    time.sleep(0.1)
    return [{"y": a["x"]} for a in items][:3]
runway.run()
"""


@pytest.fixture(scope="module")
def batched(tmp_path_factory):
    with serve(written(tmp_path_factory.mktemp("batched"), BATCHED), *ONE) as server:
        yield server


@pytest.fixture(params=["alone", "batched"])
def server(request) -> Served:
    """The same command without and with `batch=True`."""
    return request.getfixturevalue({"alone": "two", "batched": "batched"}[request.param])


@case(13)
def test_the_one_that_raises_fails_alone(server: Served):
    xs = [1, 2, 3, 66, 4, 5, 6, 7]
    with ThreadPoolExecutor(8) as pool:
        answers = dict(zip(xs, pool.map(lambda x: server.post("half", {"x": x}), xs), strict=True))

    error_of(answers.pop(66), 500, "Error during inference: ValueError('unlucky').")
    assert {x: answer.json() for x, answer in answers.items()} == {x: {"y": x / 2} for x in answers}


@case(14)
@pytest.mark.parametrize("bad", ["seven", None, [7], True, 101])
def test_bad_input_is_refused_before_it_meets_others(server: Served, bad: object):
    xs: list[object] = [1, 2, 3, bad, 4, 5, 6, 7]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda x: server.post("half", {"x": x}), xs))

    error_of(answers.pop(3), 400, "x.")
    assert [answer.json()["y"] for answer in answers] == [x / 2 for x in range(1, 8)]


@case(15)
@pytest.mark.parametrize("x", range(5))
def test_a_result_of_another_length_is_an_error(batched: Served, x: int):
    error_of(batched.post("wrong", {"x": x}), 500, "wrong")

    assert batched.post("half", {"x": 4}).json() == {"y": 2}


@case(15)
def test_too_few_results_fail_their_whole_batch(batched: Served):
    with ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(lambda x: batched.post("short", {"x": x}), range(24)))

    full = [answer for answer in answers if answer.status_code == 500]
    assert full, "no batch of four was formed"
    for answer in full:
        error_of(answer, 500, "expected 4 results, got 3")
    for x, answer in enumerate(answers):
        if answer.status_code == 200:
            assert answer.json() == {"y": x}


@case(16)
def test_pictures_of_different_shapes_keep_their_own(two: Served):
    def uri(size: tuple[int, int]) -> str:
        buffer = io.BytesIO()
        Image.new("RGB", size, (size[0], size[1], 0)).save(buffer, "PNG")
        return base64.b64encode(buffer.getvalue()).decode()

    sizes = [(10, 20), (20, 10), (1, 1), (300, 2)] * 6
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda size: two.post("look", {"i": uri(size)}).json()["r"], sizes))

    for (width, height), answer in zip(sizes, answers, strict=True):
        assert answer["shape"] == [height, width, 3]
        assert answer["first"] == [width % 256, height, 0] or width == 300


@case(17)
def test_everyone_gets_their_own_answer(two: Served):
    texts = [f"text {index:04}" for index in range(500)]
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda text: two.post("say", {"t": text}).json()["t"], texts))

    assert answers == texts


@case(18)
def test_a_stream_comes_as_it_is_made_and_holds_nobody_up(two: Served):
    url = f"ws://127.0.0.1:{two.port}/"
    with closing(websocket.create_connection(url, timeout=10)) as socket:
        submit = {"type": "submit", "command": "steps", "inputData": {"n": 10}}
        socket.send(json.dumps(submit))
        times = []
        began = time.monotonic()
        while (message := json.loads(socket.recv()))["type"] != "succeeded":
            if message["type"] == "output":
                times.append(time.monotonic())
                if len(times) == 2:
                    asked = time.monotonic()
                    assert two.post("half", {"x": 4}).json() == {"y": 2}
                    assert time.monotonic() - asked < 1 + SLACK_S

    assert len(times) == 10
    assert times[0] - began < 1 + SLACK_S, "the first step waited for others"
    assert times[-1] - times[0] > 1


@case(40)
def test_the_count_of_requests_is_the_count_of_requests(two: Served):
    def counted() -> float:
        return metric(two, "runway_requests_total", command="half", code="200")

    before = counted()
    with ThreadPoolExecutor(9) as pool:
        list(pool.map(lambda _: two.post("half", {"x": 2}), range(90)))

    assert [counted() - before for _ in range(5)] == [90] * 5
    text = two.get("/metrics").text
    for name in (
        "runway_queue_depth",
        "runway_queue_wait_seconds_bucket",
        "runway_run_seconds_bucket",
        "runway_batch_size_bucket",
        "runway_refusals_total",
    ):
        assert f"\n{name}{{" in text, name
    assert "# TYPE runway_worker_restarts_total counter" in text
