"""A shorter chaos run, with its ledger in the log; `python -m tests.chaos` is the long one."""

from __future__ import annotations

import os

import pytest

from tests.chaos.drill import drill
from tests.chaos.ledger import Entry, Fault, Ledger

SECONDS = float(os.environ.get("CHAOS_SECONDS", "60"))
SEED = int(os.environ.get("CHAOS_SEED", "1"))


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 240)
def test_every_request_is_answered_once_and_rightly_whatever_fails():
    ledger, problems = drill(SECONDS, SEED)
    print(ledger.text())

    assert not problems, "\n".join([ledger.text(), *problems[:40]])
    assert len(ledger.faults) > SECONDS / 10
    assert len(ledger.entries) > SECONDS * 50


def entry(run: str, kind: str, began: float = 1.0, ended: float = 2.0) -> Entry:
    return Entry(run, "add", began, ended, kind)


@pytest.mark.parametrize(
    ("entries", "faults", "runs", "said"),
    [
        ([entry("a", "right (200)")], [], ["a", "a"], "a ran 2 times"),
        ([entry("a", "right (200)")], [], [], "never ran"),
        ([entry("a", "right (200)"), entry("a", "right (200)")], [], ["a"], "entered 2 times"),
        ([], [], ["a"], "never asked for"),
        ([entry("a", "wrong answer")], [], ["a"], "no fault explains"),
        ([entry("a", "no answer")], [Fault("worker killed", 0, 9)], [], "no fault explains"),
        ([entry("a", "cut off")], [Fault("worker killed", 0, 9)], [], "no fault explains"),
        ([entry("a", "cut off")], [Fault("front killed", 3, 9)], [], "no fault explains"),
        ([entry("a", "not now (503)")], [Fault("worker killed", 0, 9)], ["a"], "refused, but ran"),
    ],
)
def test_the_ledger_finds_what_must_not_be(entries, faults, runs, said):
    problems = Ledger(entries, faults).problems(runs)

    assert len(problems) == 1 and said in problems[0]


def test_the_ledger_lets_pass_what_a_fault_explains():
    entries = [
        entry("a", "right (200)"),
        entry("b", "worker lost (500)"),
        entry("c", "cut off", 5.5, 5.6),
        entry("d", "client left"),
    ]
    faults = [Fault("worker killed", 1.5, 3), Fault("front killed", 5, 6)]

    assert Ledger(entries, faults).problems(["a", "b", "d"]) == []
