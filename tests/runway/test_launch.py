"""How a server in the script's own process starts and stops."""

from __future__ import annotations

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.serving import run_script

LIFE = Path(__file__).parents[1] / "scripts" / "life.py"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopping_server_answers_what_it_accepted(number):
    with run_script(LIFE, exit_code=0) as server, ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(server.post, "nap", {"s": 1}) for _ in range(2)]
        deadline = time.monotonic() + 15
        while server.get("/meta").json()["millisSinceLastCommand"] is None:
            assert time.monotonic() < deadline

        server.process.send_signal(number)

        assert [call.result().status_code for call in calls] == [200, 200]
        assert server.process.wait(15) == 0


def test_a_second_signal_ends_a_long_call():
    with run_script(LIFE, exit_code=0) as server, ThreadPoolExecutor(1) as pool:
        call = pool.submit(requests.post, f"{server.url}/nap", json={"s": 60}, timeout=20)
        deadline = time.monotonic() + 15
        while server.get("/meta").json()["millisSinceLastCommand"] is None:
            assert time.monotonic() < deadline

        server.process.send_signal(signal.SIGTERM)
        while _is_open(server.port):
            assert time.monotonic() < deadline
        server.process.send_signal(signal.SIGTERM)

        assert server.process.wait(15) == 0
        assert call.exception() is not None or call.result().status_code >= 500


UNINTERRUPTED = """
import signal, threading
import runway

threading.Thread(target=threading.Event().wait, daemon=True).start()
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})  # of the model's thread, not of that one

@runway.command("half", inputs={"x": runway.number}, outputs={"y": runway.number})
def half(model, inputs):
    return inputs["x"] / 2

runway.run()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_that_does_not_interrupt_the_wait_for_a_call_is_noticed(tmp_path, number):
    """One that comes just before the wait is noted and does not wake it, like one that another thread is given."""
    script = tmp_path / "model.py"
    script.write_text(UNINTERRUPTED)
    with run_script(script, exit_code=0) as server:
        assert server.post("half", {"x": 4}).json() == {"y": 2}

        server.process.send_signal(number)

        assert server.process.wait(15) == 0


def _is_open(port: int) -> bool:
    try:
        requests.get(f"http://127.0.0.1:{port}/healthcheck", timeout=1)
    except requests.RequestException:
        return False
    return True
