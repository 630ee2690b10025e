"""The conformance corpus over each way of serving a script: alone, one worker, two workers."""

from __future__ import annotations

import pytest

from tests.conformance.suites import (
    EXCEPTIONS,
    TWO_WORKER_EXCEPTIONS,
    Start,
    load_suites,
    run_suite,
)

SERVE = "runway-serve {script} --port {port} --gpus none --cpu-workers "
WAYS = {
    "alone": "python {script}",
    "one-worker": SERVE + "1",
    "two-workers": SERVE + "2",
}
# Local paths and addresses from the net are refused unless the operator allows them.
SERVE_FLAGS = {"files": " --allow-path . --allow-url 127.0.0.1"}
SUITES = load_suites()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
def test_suite_holds(suite, way):
    template = WAYS[way]
    if way != "alone":
        template += SERVE_FLAGS.get(suite.name, "")

    results = list(run_suite(suite, Start(template)))

    excused = TWO_WORKER_EXCEPTIONS if way == "two-workers" else {}
    failures = [str(result) for result in results if result.error and result.case not in excused]
    assert not failures, "\n".join(["", *failures])


def test_every_case_is_loaded():
    assert sum(len(suite.cases) for suite in SUITES) == 433


def test_exceptions_name_real_cases():
    known = {f"{suite.name}/{case['id']}" for suite in SUITES for case in suite.cases}

    assert set(EXCEPTIONS) <= known
    assert set(TWO_WORKER_EXCEPTIONS) <= known
