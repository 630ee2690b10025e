"""`make demo` without make: it shows a result, and ends quietly when it is told to."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import clean_env, end

pytest.importorskip("torch", reason="the demo serves a PyTorch model")
pytestmark = [pytest.mark.slow, pytest.mark.torch]

DEMO = Path(__file__).resolve().parents[2] / "examples" / "demo.py"


@pytest.fixture
def demo():
    """Starts the demo with flags; ended at the latest when the test is over."""
    started = []

    def start(*flags: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, str(DEMO), *flags],
            env=clean_env(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    assert [end(process) for process in started] == [[] for _ in started]


def test_demo_once_shows_what_came_back_and_ends(demo):
    process = demo("--once")

    out, err = process.communicate(timeout=100)

    assert (process.returncode, err) == (0, "")
    assert "192 x 192" in out
    assert "768 x 768" in out


def test_demo_serves_until_ctrl_c_and_ends_quietly(demo):
    process = demo()
    line = ""
    while "Ctrl-C stops it" not in line:
        line = process.stdout.readline()
        assert line, process.stderr.read()

    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)

    assert (process.returncode, err) == (0, "")
