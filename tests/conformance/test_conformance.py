"""The conformance corpus over each way of serving a script: alone, by Flask alone, one worker, two workers.

Some cases wait for a call that sleeps, so the suites are played several at a time in the background
and each test waits for its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conformance.suites import (
    EXCEPTIONS,
    TWO_WORKER_EXCEPTIONS,
    Result,
    Start,
    Suite,
    load_suites,
    run_suite,
)

SERVE = "runway-serve {script} --port {port} --gpus none --cpu-workers "
FLASK = f"python {Path(__file__).with_name('flask_only.py')} {{script}}"
WAYS = {
    "alone": "python {script}",
    "flask": FLASK,
    "one-worker": SERVE + "1",
    "two-workers": SERVE + "2",
}
NOT_HTTP = {"stream", "cli"}  # suites that say nothing of the Flask app
SERVE_FLAGS = {
    # Local paths and addresses that come over the net are refused unless the operator allows them.
    "files": " --allow-path . --allow-url 127.0.0.1",
    "options": " --allow-path .",
    # A failing setup is tried five times by default, seconds apart.
    "cli": " --setup-attempts 1",
}
SUITES = {suite.name: suite for suite in load_suites()}
SLEEPS = "stream"  # waits for calls of up to 20 s, three times
AT_A_TIME = 5  # three that sleep, and two for the cores of a small machine

Outcomes = dict[tuple[str, str], "Future[list[Result]]"]


def play(suite: Suite, way: str) -> list[Result]:
    flags = "" if way in ("alone", "flask") else SERVE_FLAGS.get(suite.name, "")
    return list(run_suite(suite, Start(WAYS[way] + flags)))


@pytest.fixture(scope="module")
def outcomes(request) -> Iterator[Outcomes]:
    """The results to come of every suite and way that was selected."""
    selected = {
        (item.callspec.params["name"], item.callspec.params["way"])
        for item in request.session.items
        if getattr(item, "originalname", "") == test_suite_holds.__name__
    }
    in_order = sorted(selected, key=lambda pair: (pair[0] != SLEEPS, pair))
    pool = ThreadPoolExecutor(AT_A_TIME)
    try:
        yield {(name, way): pool.submit(play, SUITES[name], way) for name, way in in_order}
    finally:
        pool.shutdown(cancel_futures=True)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("name", "way"),
    [(name, way) for name in SUITES for way in WAYS if way != "flask" or name not in NOT_HTTP],
)
def test_suite_holds(name, way, outcomes):
    results = outcomes[name, way].result()

    excused = TWO_WORKER_EXCEPTIONS if way == "two-workers" else {}
    failures = [str(result) for result in results if result.error and result.case not in excused]
    assert not failures, "\n".join(["", *failures])


def test_every_case_is_loaded():
    assert sum(len(suite.cases) for suite in SUITES.values()) == 433


def test_exceptions_name_real_cases():
    known = {f"{name}/{case['id']}" for name, suite in SUITES.items() for case in suite.cases}

    assert set(EXCEPTIONS) <= known
    assert set(TWO_WORKER_EXCEPTIONS) <= known
