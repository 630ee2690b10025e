"""The server that most known failures are tried against: the script of their list on two workers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import psutil
import pytest

from tests.serving import Served, serve
from tests.trust.kinds import MODEL, TWO, wait_for_workers


@pytest.fixture(scope="package")
def two() -> Iterator[Served]:
    """Two workers; what a test kills must be back before the test ends."""
    with serve(MODEL, *TWO) as server:
        wait_for_workers(server, 2)
        yield server


@pytest.fixture
def pids(two: Served) -> Iterator[set[int]]:
    """The workers' pids before the test, which must be the same after it."""
    before = worker_pids(two)
    yield before
    assert worker_pids(two) == before


def worker_pids(server: Served) -> set[int]:
    found = set()
    for child in psutil.Process(server.process.pid).children():
        with suppress(psutil.Error):  # it ended between the two looks
            if "runway_serve.workers" in " ".join(child.cmdline()):
                found.add(child.pid)
    return found
