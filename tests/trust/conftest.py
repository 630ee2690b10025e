"""The server that most known failures are tried against: the script of their list on two workers."""

from __future__ import annotations

from collections.abc import Iterator

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
    import psutil

    children = psutil.Process(server.process.pid).children()
    return {child.pid for child in children if "runway_serve.workers" in " ".join(child.cmdline())}
