"""`GET /metrics` of a server whose calls share runs: its numbers are those that the networks printed."""

from __future__ import annotations

import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import get_args

import pytest

from runway_serve.batching.coalesce.habits import WATCHED
from runway_serve.batching.coalesce.statistics import Kind
from tests.serve.test_metrics import CPU, Samples, samples, value
from tests.serving import Served, serve

pytest.importorskip("torch", reason="needs PyTorch")

pytestmark = pytest.mark.torch
SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"
CLIENTS = 12


def ask(server: Served, command: str, count: int) -> None:
    with ThreadPoolExecutor(CLIENTS) as clients:
        answers = list(clients.map(lambda x: server.post(command, {"seed": x}), range(count)))
    assert {answer.status_code for answer in answers} == {200}


def fallbacks(found: Samples, command: str) -> dict[str, float]:
    return {
        labels["reason"]: count
        for (name, pairs), count in found.items()
        if name == "runway_coalesce_fallbacks_total"
        and (labels := dict(pairs))["command"] == command
    }


def test_stacked_runs_are_counted_by_size():
    with serve(SCRIPTS / "accelerated.py", *CPU, "1") as server:
        ask(server, "draw", 120)
        found = samples(server)
        printed = Counter(int(n) for n in re.findall(r"network ran (\d+) items", server.log()))

    count = value(found, "coalesced_batch_size_count", command="draw")
    items = value(found, "coalesced_batch_size_sum", command="draw")
    alone = value(found, "coalesced_alone_total", command="draw")
    agreed = value(found, "coalesce_checks_total", command="draw", result="agreed")
    assert count and items and alone and agreed
    assert items / count >= 2
    # Besides stacked runs, a check runs its items stacked once, and once more with altered items.
    assert sum(runs for size, runs in printed.items() if size > 1) == count + 2 * agreed
    checked = sum(size * runs for size, runs in printed.items() if size > 1) - items
    assert items + printed[1] == 120
    # A call that is the only one there runs as without coalescing, and is not counted.
    assert WATCHED <= alone <= printed[1] - checked / 2
    assert value(found, "coalesce_checks_total", command="draw", result="objected") == 0
    assert value(found, "coalesced_batch_size_bucket", command="draw", le="1") == 0
    assert value(found, "coalesced_batch_size_bucket", command="draw", le="32") == count
    for name in ("coalesced_batch_size_count", "coalesced_alone_total"):
        assert value(found, name, command="alone") == 0  # coalesce=False


def test_fallbacks_are_counted_by_reasons_that_are_few():
    with serve(SCRIPTS / "harmed.py", *CPU, "1") as server:
        for command in ("keeps", "plain", "trains"):
            ask(server, command, 24)
        found = samples(server)

    assert fallbacks(found, "keeps") == {"shared_state": 1}
    assert fallbacks(found, "plain") == {"no_network": 1}
    assert fallbacks(found, "trains") == {"unfit_network": 1}
    assert {"shared_state", "no_network", "unfit_network"} <= set(get_args(Kind))


def test_a_server_without_coalescing_counts_nothing():
    with serve(SCRIPTS / "accelerated.py", *CPU, "1", "--coalesce", "off") as server:
        ask(server, "draw", 12)
        found = samples(server)

    assert value(found, "coalesced_alone_total", command="draw") == 0
    assert value(found, "coalesced_batch_size_count", command="draw") == 0
    assert fallbacks(found, "draw") == {}
