"""Jobs and server-sent events, with one worker process and under `python script.py`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.serving import Served, run_script, serve

SCRIPT = Path(__file__).parents[1] / "scripts" / "patient.py"
LIMITS = ("--max-jobs", "3", "--max-job-bytes", "1000", "--job-ttl", "600")
ASYNC = {"Prefer": "respond-async"}
EVENTS = {"Accept": "text/event-stream"}
DEADLINE_S = 20.0


@pytest.fixture(scope="module", params=["one worker", "alone"])
def server(request) -> Iterator[Served]:
    started = (
        serve(SCRIPT, "--gpus", "none") if request.param == "one worker" else run_script(SCRIPT)
    )
    with started as served:
        yield served


@pytest.fixture
def gate(tmp_path) -> Iterator[Path]:
    """A file that keeps the script's `steps` running until it says something else than closed."""
    path = tmp_path / "gate"
    path.write_text("closed")
    yield path
    path.write_text("open")


def start(server: Served, command: str, inputs: dict[str, Any]) -> str:
    """Path of a new job."""
    response = server.post(command, inputs, headers=ASYNC)
    assert response.status_code == 202, response.text
    assert response.headers["Preference-Applied"] == "respond-async"
    # Relative to the command, so that it holds below any path of a proxy.
    assert response.headers["Location"] == f"jobs/{response.json()['id']}"
    return f"/{response.headers['Location']}"


def wait(look: Callable[[], Any]) -> Any:
    """What `look` returns once it is true."""
    end = time.monotonic() + DEADLINE_S
    while not (seen := look()):
        assert time.monotonic() < end
        time.sleep(0.01)
    return seen


def ended(server: Served, path: str) -> dict[str, Any]:
    """The job, once it no longer runs."""

    def look() -> Any:
        job = server.get(path).json()
        return job if job["status"] != "running" else None

    return wait(look)


@contextmanager
def following(response: requests.Response) -> Iterator[Iterator[tuple[str, Any]]]:
    """Events of a response, as kind and data."""
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/event-stream"

    def events() -> Iterator[tuple[str, Any]]:
        kind = ""
        for line in response.iter_lines(chunk_size=1, decode_unicode=True):
            name, _, value = line.partition(": ")
            if name == "event":
                kind = value
            elif name == "data":
                yield kind, json.loads(value)

    try:
        yield events()
    finally:
        response.close()


def test_a_job_answers_202_and_keeps_its_result(server):
    path = start(server, "repeat", {"text": "ab", "times": 3})

    job = ended(server, path)
    assert job["id"] == path.removeprefix("/jobs/")
    assert (job["command"], job["status"]) == ("repeat", "succeeded")
    assert job["outputData"] == server.post("repeat", {"text": "ab", "times": 3}).json()
    assert job["timeElapsed"] >= 0


def test_progress_and_the_newest_output_show_while_it_runs(server, gate):
    path = start(server, "steps", {"n": 4, "gate": str(gate)})

    job = wait(lambda: next(iter([j for j in [server.get(path).json()] if j["progress"] == 1]), 0))
    assert (job["status"], job["outputData"]) == ("running", {"i": 3})
    gate.write_text("open")
    assert ended(server, path)["status"] == "succeeded"


def test_delete_cancels_and_forgets(server, gate):
    path = start(server, "steps", {"n": 1, "gate": str(gate)})

    assert server.session.delete(f"{server.url}{path}", timeout=10).status_code == 204
    assert server.get(path).status_code == 404
    assert server.post("repeat", {"text": "next", "times": 1}).json() == {"text": "next"}


@pytest.mark.parametrize("why", ["no reason", "half a pair: \ud800"])
def test_a_failure_is_told_as_the_command_tells_it(server, why):
    direct = server.post("fail", {"why": why})
    job = ended(server, start(server, "fail", {"why": why}))

    assert job["status"] == "failed"
    assert (job["code"], job["error"]) == (direct.status_code, direct.json()["error"])
    assert job["traceback"][-1] == direct.json()["traceback"][-1]
    assert job["outputData"] is None


def test_bad_input_is_refused_at_once(server):
    response = server.post("repeat", {"text": "x", "times": "many"}, headers=ASYNC)

    assert response.status_code == 400
    assert "times" in response.json()["error"]


def test_a_command_called_jobs_stays_a_command(server):
    assert server.post("jobs", {"x": 1}).json() == {"y": 2}
    assert server.get("/jobs").json()["name"] == "jobs"
    assert ended(server, start(server, "jobs", {"x": 2}))["outputData"] == {"y": 3}


def test_unknown_jobs_and_methods(server):
    assert server.get("/jobs/nothing").status_code == 404
    assert "nothing" in server.get("/jobs/nothing").json()["error"]
    assert server.get("/jobs/nothing/events").status_code == 404
    assert server.get("/jobs/nothing/else").json() == {"error": "Not found."}
    assert server.session.put(f"{server.url}/jobs/x", timeout=10).status_code == 405


def test_a_command_streams_its_outputs_as_events(server):
    response = server.post("steps", {"n": 3, "gate": ""}, headers=EVENTS, stream=True)

    with following(response) as events:
        seen = list(events)
    assert [kind for kind, _ in seen] == ["output"] * 3 + ["succeeded"]
    assert [data["outputData"]["i"] for _, data in seen[:3]] == [0, 1, 2]
    assert [data["progress"] for _, data in seen[:3]] == [
        0,
        pytest.approx(1 / 3),
        pytest.approx(2 / 3),
    ]


def test_a_failing_stream_says_so(server):
    with following(server.post("fail", {"why": "x"}, headers=EVENTS, stream=True)) as events:
        [(kind, data)] = list(events)

    assert kind == "failed"
    assert data["code"] == 500 and "x" in data["error"]


def test_a_client_that_leaves_its_stream_ends_the_call(server, gate):
    with following(
        server.post("steps", {"n": 1, "gate": str(gate)}, headers=EVENTS, stream=True)
    ) as events:
        assert next(events)[0] == "output"

    answer = server.post("repeat", {"text": "free", "times": 1})
    assert answer.json() == {"text": "free"}, "the only worker still runs the stream"


def test_a_job_can_be_followed_and_survives_its_followers(server, gate):
    path = start(server, "steps", {"n": 1, "gate": str(gate)})
    with following(server.get(f"{path}/events", stream=True)) as events:
        assert next(events)[0] == "output"

    assert server.get(path).json()["status"] == "running"
    with following(server.get(f"{path}/events", stream=True)) as events:
        assert next(events)[0] == "output"
        gate.write_text("open")
        assert [kind for kind, _ in events if kind != "output"] == ["succeeded"]
    with following(server.get(f"{path}/events", stream=True)) as events:
        assert [kind for kind, _ in events] == ["output", "succeeded"]


def test_pages_from_elsewhere_may_ask(server):
    origin = {"Origin": "http://page.example", "Access-Control-Request-Method": "DELETE"}
    preflight = server.session.options(f"{server.url}/jobs/x", headers=origin, timeout=10)

    assert preflight.status_code == 200
    assert "DELETE" in preflight.headers["Access-Control-Allow-Methods"]
    assert server.get("/jobs/x", headers=origin).headers["Access-Control-Allow-Origin"]


@pytest.mark.parametrize(
    "headers",
    [{"Prefer": "wait=3"}, {"Accept": "text/html, */*;q=0.1"}, {"Accept": "application/json"}],
)
def test_other_preferences_change_nothing(server, headers):
    response = server.post("jobs", {"x": 1}, headers=headers)

    assert (response.status_code, response.json()) == (200, {"y": 2})


@pytest.fixture(scope="module")
def small() -> Iterator[Served]:
    with serve(SCRIPT, "--gpus", "none", *LIMITS) as served:
        yield served


def test_results_that_ended_first_make_room(small):
    paths = [start(small, "jobs", {"x": x}) for x in range(3)]
    for path in paths:
        ended(small, path)
    fourth = start(small, "jobs", {"x": 3})

    assert ended(small, fourth)["outputData"] == {"y": 4}
    assert [small.get(path).status_code for path in paths] == [404, 200, 200]


def test_bytes_are_bounded(small):
    first = start(small, "repeat", {"text": "a", "times": 600})
    assert len(ended(small, first)["outputData"]["text"]) == 600
    second = start(small, "repeat", {"text": "b", "times": 600})
    assert len(ended(small, second)["outputData"]["text"]) == 600
    assert small.get(first).status_code == 404

    job = ended(small, start(small, "repeat", {"text": "c", "times": 2000}))
    assert (job["status"], job["code"]) == ("failed", 507)
    assert "--max-job-bytes" in job["error"]


def test_running_jobs_are_never_pushed_out(small, gate):
    paths = [start(small, "steps", {"n": 1, "gate": str(gate)}) for _ in range(3)]
    refused = small.post("jobs", {"x": 1}, headers=ASYNC)

    assert refused.status_code == 503
    assert refused.headers["Retry-After"] == "1"
    assert "--max-jobs" in refused.json()["error"]
    gate.write_text("open")
    assert {ended(small, path)["status"] for path in paths} == {"succeeded"}


def test_results_are_forgotten_and_late_jobs_fail(gate):
    flags = ("--gpus", "none", "--job-ttl", "0.2", "--job-timeout", "0.5", "--request-timeout", "9")
    with serve(SCRIPT, *flags) as server:
        path = start(server, "steps", {"n": 1, "gate": str(gate)})
        with following(server.get(f"{path}/events", stream=True)) as events:
            kind, data = [event for event in events if event[0] != "output"][-1]

        assert (kind, data["code"]) == ("failed", 504)
        assert "--job-timeout" in data["error"]
        wait(lambda: server.get(path).status_code == 404)
