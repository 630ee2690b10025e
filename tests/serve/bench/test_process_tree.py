"""CPU time and memory of a process tree, of processes that use a known amount."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from runway_serve.bench.process_tree import TICKS_PER_S, cpu_seconds, memory_bytes, tree

# Each level says when its children have done their part, then waits for the end of its input.
SPIN = "import time\nwhile time.process_time() < {s}: pass\n"
WAIT = "print('done', flush=True)\nimport sys\nsys.stdin.read()\n"
LIVING_CHILD = (
    "import atexit, subprocess, sys\n"
    "child = subprocess.Popen([sys.executable, '-c', {inner!r}], stdout=subprocess.PIPE)\n"
    "child.stdout.readline()\n"
    "atexit.register(child.wait)\n"
)
REAPED_CHILD = "import subprocess, sys\nsubprocess.run([sys.executable, '-c', {inner!r}])\n"
HOLD = "held = b'x' * {size}\n"
TICK_S = 1 / TICKS_PER_S


@contextmanager
def running(program: str) -> Iterator[int]:
    """Pid of a program that said it has done its work."""
    command = [sys.executable, "-c", program + WAIT]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"done\n"
        yield process.pid
        assert process.stdin is not None
        process.stdin.close()


def test_time_of_living_descendants_counts():
    inner = SPIN.format(s=0.3) + WAIT
    with running(LIVING_CHILD.format(inner=inner) + SPIN.format(s=0.2)) as pid:
        assert len(tree(pid)) == 2
        assert cpu_seconds(pid) >= 0.5 - 4 * TICK_S


def test_time_of_reaped_children_counts():
    with running(REAPED_CHILD.format(inner=SPIN.format(s=0.3))) as pid:
        assert len(tree(pid)) == 1
        assert cpu_seconds(pid) >= 0.3 - 2 * TICK_S


def test_no_time_is_counted_twice():
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    inner = REAPED_CHILD.format(inner=SPIN.format(s=0.2)) + WAIT
    with running(LIVING_CHILD.format(inner=inner)) as pid:
        counted = cpu_seconds(pid)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)

    # What the kernel charged us once all of them had ended; a little more than they had used before.
    charged = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert 0.2 - 2 * TICK_S <= counted <= charged + 6 * TICK_S


def test_memory_of_descendants_counts():
    size = 50 << 20
    inner = HOLD.format(size=size) + WAIT
    with running("pass\n") as pid:
        alone = memory_bytes(pid)
    with running(LIVING_CHILD.format(inner=inner)) as pid:
        assert size < memory_bytes(pid) - alone < size + (30 << 20)


def test_shared_pages_count_once():
    size = 60 << 20
    fork = HOLD.format(size=size) + (
        "import os, signal\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    signal.pause()\n"
        "import atexit\n"
        "atexit.register(os.kill, child, signal.SIGKILL)\n"
    )
    with running(fork) as pid:
        assert len(tree(pid)) == 2
        assert size < memory_bytes(pid) < 2 * size


def test_a_process_that_ended_is_named():
    with running("pass\n") as pid:
        assert cpu_seconds(pid) >= 0
    with pytest.raises(ProcessLookupError, match=f"no process {pid}"):
        cpu_seconds(pid)
    with pytest.raises(ProcessLookupError, match=f"no process {pid}"):
        memory_bytes(pid)
