"""The processes of a server: who holds what, and what a script finds in its own."""

from __future__ import annotations

import os
import re
import stat
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest

from tests.serving import Served, serve

SCRIPTS = Path(__file__).parents[1] / "scripts"
AROUND = SCRIPTS / "around.py"
CPU = ("--gpus", "none", "--cpu-workers")
PROPORTIONAL_MB = 90  # of the supervisor and both processes of the front together
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture(scope="module")
def server():
    with serve(AROUND, *CPU, "2", "--", "--gain", "3", "--port", "1") as served:
        wait_for(lambda: served.get("/ready").json()["workers"] == 2)
        yield served


def wait_for(is_so, timeout_s: float = 10.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def parts(server: Served) -> tuple[list[psutil.Process], list[psutil.Process]]:
    """The supervisor and the front's processes; the workers."""
    family = psutil.Process(server.process.pid).children(recursive=True)
    workers = [one for one in family if "runway_serve.workers" in one.cmdline()]
    others = [one for one in family if one not in workers]
    return [psutil.Process(server.process.pid), *others], workers


def mapped(process: psutil.Process) -> set[str]:
    """Which frameworks' libraries a process has loaded."""
    paths = [region.path for region in process.memory_maps()]
    return {name for name in ("torch", "tensorflow") if any(f"/{name}/" in p for p in paths)}


def test_only_workers_import_the_script(server):
    others, workers = parts(server)

    assert len(others) == 3, "the supervisor, gunicorn's master and its one worker"
    importers = map(int, re.findall(r"imported by (\d+)", server.log()))
    assert sorted(importers) == sorted(one.pid for one in workers)


@on_linux
@pytest.mark.torch
@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")
def test_only_workers_load_a_framework(tmp_path):
    script = tmp_path / "runway_model.py"
    script.write_text("import runway, torch\nrunway.run()\n")

    with serve(script, *CPU, "1") as server:
        others, workers = parts(server)

        assert [mapped(one) for one in workers] == [{"torch"}]
        assert [mapped(one) for one in others] == [set()] * 3


@on_linux
def test_supervisor_and_front_are_small(server):
    for _ in range(20):
        assert server.post("around", {"letters": 1}).status_code == 200
    others, _ = parts(server)

    used = [one.memory_full_info().pss / 1e6 for one in others]

    assert sum(used) < PROPORTIONAL_MB, f"supervisor, master, front: {used} MB"


@on_linux
def test_only_the_http_port_listens(server):
    others, workers = parts(server)

    inet = {
        (connection.laddr, connection.type.name)
        for process in (*others, *workers)
        for connection in process.net_connections("inet")
        if connection.status in (psutil.CONN_LISTEN, psutil.CONN_NONE)
    }

    assert inet == {(("127.0.0.1", server.port), "SOCK_STREAM")}


@on_linux
def test_inner_sockets_are_in_a_folder_of_the_user_alone(server):
    others, workers = parts(server)

    sockets = {
        Path(connection.laddr)
        for process in (*others, *workers)
        for connection in process.net_connections("unix")
        if connection.laddr
    }

    assert {path.name for path in sockets} == {"control", "worker-0", "worker-1"}
    (folder,) = {path.parent for path in sockets}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert folder.stat().st_uid == os.getuid()


def test_a_script_finds_what_python_would_have_given_it(server):
    found = server.post("around", {"letters": 1}).json()["found"]

    assert found == {
        "argv": [str(AROUND), "--gain", "3", "--port", "1"],
        "cwd": str(SCRIPTS),
        "path": str(SCRIPTS),
        "stdin": "",
    }


def test_long_lines_without_an_end_block_nothing(server):
    assert server.post("around", {"letters": 1_000_000}).status_code == 200

    wait_for(lambda: server.log().count("q") >= 1_000_000)
    assert server.log().count("s") >= 2_000_000, "each of both workers printed as much in its setup"


@pytest.fixture(scope="module")
def with_children():
    with serve(SCRIPTS / "children.py", *CPU, "1") as served:
        yield served


@pytest.mark.parametrize("way", ["fork", "spawn"])
def test_a_command_may_have_children_and_pickles_of_its_own(with_children, way):
    assert with_children.post("total", {"way": way}).json() == {"total": 10}


def test_children_of_a_dead_worker_go_and_it_is_replaced():
    with serve(SCRIPTS / "orphan.py", *CPU, "1") as server:
        answer = server.post("die", {"x": 1}, timeout=5)

        assert answer.status_code == 500
        assert "Worker died while running this request (signal 9" in answer.json()["error"]
        (child,) = set(map(int, re.findall(r"child (\d+)", server.log())))
        wait_for(lambda: is_gone(child))
        wait_for(lambda: server.get("/ready").status_code == 200)


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_models_own_modules_are_not_shadowed_by_ours(tmp_path):
    (tmp_path / "workers.py").write_text("NAME = 'mine'")
    (tmp_path / "batching").mkdir()
    (tmp_path / "batching" / "__init__.py").write_text("NAME = 'mine'")
    (tmp_path / "runway_model.py").write_text(
        "import batching, runway, workers\n"
        "print('names', workers.NAME, batching.NAME)\n"
        "runway.run()\n"
    )

    with serve(tmp_path, *CPU, "1", cwd=tmp_path) as server:
        wait_for(lambda: "names mine mine" in server.log())


@pytest.mark.skipif(sys.version_info < (3, 11), reason="python -P is new in 3.11")
def test_modules_of_the_working_directory_do_not_replace_ours(tmp_path):
    for name in ("runway", "flask", "numpy"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise ImportError('not the one you want')")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "runway_model.py").write_text("import runway\nrunway.run()\n")

    with serve("model", *CPU, "1", cwd=tmp_path) as server:
        assert server.get("/meta").status_code == 200
