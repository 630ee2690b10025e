"""`run(debug=True)` starts the script again when its files change, and cleans up after itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import requests

from tests.processes import clean_env, family
from tests.serving import Served, run_script

MODEL = """\
import os
import runway
from answers import ANSWER
print("imported")
os.chdir("/")  # some scripts do; the next start must find the script all the same

@runway.command("answer", inputs={"x": runway.number}, outputs={"y": runway.number, "pid": runway.number})
def answer(model, inputs):
    return {"y": ANSWER * FACTOR, "pid": os.getpid()}

if __name__ == "__main__":
    runway.run(debug=True)
"""
CHANGE_S = 20.0  # until a change is seen and the new script serves, on a busy machine


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("model")
    write(place, answer=1)
    return place


@pytest.fixture(scope="module")
def server(folder):
    with run_script("runway_model.py", cwd=folder, exit_code=0) as served:
        yield served


def write(folder: Path, answer: int, factor: str = "1") -> None:
    (folder / "answers.py").write_text(f"ANSWER = {answer}\n")
    script = folder / "runway_model.py"
    text = MODEL.replace("FACTOR", factor)
    if not script.exists() or script.read_text() != text:
        script.write_text(text)


def ask(server: Served) -> dict[str, int]:
    """The answer, or nothing while no script serves."""
    try:
        answer = requests.post(f"{server.url}/answer", json={"x": 0}, timeout=5)
    except requests.ConnectionError:
        return {}
    return answer.json() if answer.status_code == 200 else {}


def wait_for(is_so: Callable[[], bool], timeout_s: float = CHANGE_S) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_changed_script_is_served_by_a_new_process(server, folder):
    old = ask(server)
    assert old["y"] == 1

    write(folder, answer=1, factor="10")

    wait_for(lambda: ask(server).get("y") == 10)
    assert ask(server)["pid"] != old["pid"]
    assert not psutil.pid_exists(old["pid"])


def test_a_changed_module_of_its_folder_counts_too(server, folder):
    write(folder, answer=2, factor="10")

    wait_for(lambda: ask(server).get("y") == 20)
    assert f"Reloading: {folder / 'answers.py'} changed" in server.log()


def test_a_broken_change_can_be_mended(server, folder):
    write(folder, answer=3, factor="(")
    wait_for(lambda: "SyntaxError" in server.log())

    write(folder, answer=3)

    wait_for(lambda: ask(server).get("y") == 3)


def test_virtual_environments_are_not_watched(server, folder):
    from runway.reload import _sources

    (folder / "env" / "lib").mkdir(parents=True)
    (folder / "env" / "pyvenv.cfg").touch()
    (folder / "env" / "lib" / "library.py").touch()

    assert sorted(map(os.path.basename, _sources(folder))) == ["answers.py", "runway_model.py"]


def test_ctrl_c_ends_both_quietly(folder):
    with run_script("runway_model.py", cwd=folder, exit_code=0) as server:
        children = family(server.process.pid)
        assert len(children) == 1

        os.killpg(server.process.pid, signal.SIGINT)

        assert server.process.wait(10) == 0
        _, alive = psutil.wait_procs(children, timeout=5)
        assert alive == []
        assert "Traceback" not in server.log()


@pytest.mark.skipif(sys.platform != "linux", reason="needs PR_SET_PDEATHSIG")
def test_a_killed_watcher_takes_the_script_along(folder):
    with run_script("runway_model.py", cwd=folder) as server:
        children = family(server.process.pid)

        server.process.kill()

        _, alive = psutil.wait_procs(children, timeout=5)
        assert alive == []


def test_the_variable_turns_it_off(folder):
    with run_script("runway_model.py", cwd=folder, env={"RW_DEBUG": "0"}) as server:
        assert family(server.process.pid) == []


def test_without_serving_there_is_nothing_to_reload(folder):
    ended = subprocess.run(
        [sys.executable, "runway_model.py"],
        cwd=folder,
        env=clean_env({"RW_NO_SERVE": "1"}),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.count("imported") == 1
    assert "no_serve" in ended.stdout
