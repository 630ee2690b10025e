"""Nothing that the tests started may outlive them: no process, no folder, no shared memory.

Children get a temporary folder of this run and a mark in their environment, so that a second run on
the same machine is never taken for ours.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

MARK = "RUNWAY_TEST_RUN"  # not RW_*: those are taken out of a server's environment
SETTLE_S = 10.0
SHARED_MEMORY = Path("/dev/shm")


@pytest.fixture(scope="session", autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    run = uuid.uuid4().hex
    # Short: the paths of sockets below it have about 100 characters at most.
    folder = tempfile.mkdtemp(prefix="rs-")
    before = {"TMPDIR": os.environ.get("TMPDIR"), MARK: None}
    os.environ.update({"TMPDIR": folder, MARK: run})
    segments = shared_memory()

    yield

    for name, value in before.items():
        os.environ.pop(name)
        if value is not None:
            os.environ[name] = value
    left = {
        "processes": until_empty(lambda: marked(run)),
        "folders": until_empty(lambda: [path.name for path in Path(folder).glob("runway-*")]),
        "shared memory": until_empty(lambda: sorted(shared_memory() - segments)),
    }
    for line in left["processes"]:
        psutil.Process(int(line.split()[0])).kill()
    shutil.rmtree(folder, ignore_errors=True)
    assert not any(left.values()), f"left behind by the tests: {left}"


def until_empty(look) -> list[str]:
    """What `look()` still finds after `SETTLE_S`; returns as soon as it finds nothing."""
    end = time.monotonic() + SETTLE_S
    while (found := look()) and time.monotonic() < end:
        time.sleep(0.05)
    return found


def marked(run: str) -> list[str]:
    """Living processes, this one apart, that carry the mark of this run."""
    found = []
    for process in psutil.process_iter():
        try:
            ours = process.pid != os.getpid() and process.environ().get(MARK) == run
            if ours and process.status() != psutil.STATUS_ZOMBIE:
                found.append(f"{process.pid} {' '.join(process.cmdline())[:120]}")
        except psutil.Error:
            continue
    return found


def shared_memory() -> set[str]:
    """Names of our shared-memory segments, of any run."""
    if not SHARED_MEMORY.is_dir():
        return set()
    return {path.name for path in SHARED_MEMORY.iterdir() if path.name.startswith("runway-serve")}
