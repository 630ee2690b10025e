"""Quick calls that share a message: some are answered while others still run."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import requests

from runway_serve.workers.loop import ANSWERS
from tests.serve.test_look_ahead import counts, wait_for
from tests.serving import serve

SCRIPT = """
import time
from pathlib import Path
import runway
from runway.data_types import text

def wait_for(path):
    while path and not Path(path).exists():
        time.sleep(0.002)

@runway.command("hold", inputs={"path": text(default="")}, outputs={"path": text})
def hold(model, inputs):
    wait_for(inputs["path"])
    return inputs["path"]

@runway.command("quick", inputs={"path": text(default="")}, outputs={"path": text})
def quick(model, inputs):
    wait_for(inputs["path"])
    return inputs["path"]

runway.run()
"""


def test_the_first_of_a_message_need_not_wait_for_the_last(tmp_path: Path):
    script = tmp_path / "model.py"
    script.write_text(SCRIPT)
    first, last = tmp_path / "first", tmp_path / "last"
    with serve(script, "--gpus", "none") as server, ThreadPoolExecutor(ANSWERS + 2) as pool:

        def call(command: str, path: str) -> str:
            answer = requests.post(f"{server.url}/{command}", json={"path": path}, timeout=60)
            assert answer.status_code == 200, answer.text
            return answer.json()["path"]

        for _ in range(100):  # the first took long; it is known as quick after these
            call("quick", "")
        held = pool.submit(call, "hold", str(first))
        wait_for(lambda: counts(server) == (1, 0))
        quick = [pool.submit(call, "quick", "") for _ in range(ANSWERS)]
        wait_for(lambda: counts(server) == (1, ANSWERS))
        slow = pool.submit(call, "quick", str(last))
        wait_for(lambda: counts(server) == (1, ANSWERS + 1))
        first.touch()

        for future in as_completed(quick, timeout=30):
            assert future.result() == ""
        assert counts(server)[1] == 0  # the slow one was in the same message
        assert not slow.done()
        last.touch()
        assert (held.result(), slow.result()) == (str(first), str(last))
