"""`POST /setup` that fails, or comes while commands run: the answer says so, and all workers end up alike."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.serving import Served, serve
from tests.trust.conftest import worker_pids
from tests.trust.kinds import TWO, case, error_of, wait_for, wait_for_workers, written

SCRIPT = """
import time, runway
from runway.data_types import number, text
@runway.setup(options={"tag": text(default="first")})
def setup(options):
    if options["tag"] == "bad": raise RuntimeError("no weights")
    return options["tag"]
@runway.command("tag", inputs={"s": number(default=0)}, outputs={"tag": text})
def tag(m, a):
    time.sleep(a["s"]); return m
runway.run()
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serve(written(tmp_path_factory.mktemp("setup"), SCRIPT), *TWO) as served:
        wait_for_workers(served, 2)
        yield served


def tags(server: Served) -> set[str]:
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: server.post("tag", {"s": 0.1}), range(6)))
    return {answer.json()["tag"] for answer in answers}


@case(12)
def test_a_setup_that_fails_says_so_and_the_old_model_serves_on(server: Served):
    assert server.post("setup", {"tag": "old"}).status_code == 200

    said = error_of(server.post("setup", {"tag": "bad"}), 500, "Error during setup:")

    assert "RuntimeError('no weights')" in said
    assert tags(server) == {"old"}
    assert server.get("/ready").status_code == 200
    assert server.post("setup", {"tag": "mended"}).json() == {"success": True}
    assert server.get("/healthcheck").json() == {"status": "RUNNING"}


@case(12)
def test_running_commands_end_with_the_model_they_began_with(server: Served):
    server.post("setup", {"tag": "before"})
    with ThreadPoolExecutor(2) as pool:
        running = [pool.submit(server.post, "tag", {"s": 1}) for _ in range(2)]
        wait_for(lambda: server.get("/ready").json()["running"] == 2)

        assert server.post("setup", {"tag": "after"}).status_code == 200

        assert {answer.result().json()["tag"] for answer in running} == {"before"}
    assert tags(server) == {"after"}


@case(12)
def test_a_worker_that_restarts_has_the_newest_options(server: Served):
    server.post("setup", {"tag": "newest"})
    before = worker_pids(server)
    os.kill(min(before), signal.SIGKILL)
    wait_for(lambda: len(worker_pids(server) - before) == 1)
    wait_for_workers(server, 2)

    assert tags(server) == {"newest"}


@case(12)
def test_a_storm_of_setups_leaves_health_and_commands_alone(server: Served):
    with ThreadPoolExecutor(40) as pool:
        storm = [pool.submit(server.post, "setup", {"tag": f"{index}"}) for index in range(40)]
        with ThreadPoolExecutor(4) as others:
            health = list(others.map(lambda _: server.get("/healthcheck", timeout=5), range(20)))
            halves = list(others.map(lambda _: server.post("tag"), range(20)))
        codes = {answer.result().status_code for answer in storm}

    assert {answer.status_code for answer in health} == {200}
    assert {answer.status_code for answer in halves} == {200}
    assert codes <= {200, 503}
    assert len(tags(server)) == 1


@case(12)
@pytest.mark.parametrize("body", [{"tag": 5}, {"tag": None}, {"tag": ["x"]}])
def test_options_that_do_not_fit_change_nothing(server: Served, body: dict):
    server.post("setup", {"tag": "kept"})

    error_of(server.post("setup", body), 400, "tag")

    assert tags(server) == {"kept"}
