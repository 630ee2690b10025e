"""Which process does what: only workers run the script, streams do not fork, prints do not block, deaths are told."""

from __future__ import annotations

import json
import os
import signal
from contextlib import closing

import psutil
import pytest
import websocket

from runway.codec import pack_one
from tests.serving import Served, serve
from tests.trust.conftest import worker_pids
from tests.trust.kinds import ONE, TWO, case, error_of, metric, wait_for, wait_for_workers, written

IMPORTED = """
import os, runway
with open({log!r}, "a") as file:
    file.write(f"{{os.getpid()}}\\n")
@runway.command("half", inputs={{"x": runway.number}}, outputs={{"y": runway.number}})
def half(m, a): return a["x"] / 2
runway.run()
"""
CHATTER = """
import os, sys, runway
@runway.setup
def setup():
    sys.stdout.write("s" * 1_000_000); sys.stdout.flush()
@runway.command("chat", inputs={"die": runway.boolean}, outputs={"n": runway.number})
def chat(m, a):
    sys.stdout.write("c" * 1_000_000); sys.stderr.write("e" * 1_000_000)
    sys.stdout.flush(); sys.stderr.flush()
    if a["die"]:
        print("\\nlast words of the model", flush=True); os.kill(os.getpid(), 9)
    return 1
runway.run()
"""


@case(5)
def test_only_workers_import_the_script(tmp_path):
    log = tmp_path / "pids"
    with serve(written(tmp_path, IMPORTED.format(log=str(log))), *TWO) as server:
        wait_for_workers(server, 2)
        assert server.post("half", {"x": 2}).json() == {"y": 1}

        importers = [int(line) for line in log.read_text().split()]

        assert sorted(importers) == sorted(worker_pids(server))
        assert server.process.pid not in importers


@case(5)
def test_workers_are_not_forked_from_the_supervisor(two: Served):
    for pid in worker_pids(two):
        assert "runway_serve.workers" in " ".join(psutil.Process(pid).cmdline())


@case(6)
@pytest.mark.parametrize("way", ["http", "websocket"])
def test_a_stream_runs_in_the_worker_itself(tmp_path, way: str):
    source = """
import os, runway
@runway.command("pid", inputs={"x": runway.number}, outputs={"pid": runway.number})
def pid(m, a): return os.getpid()
@runway.command("steps", inputs={"x": runway.number}, outputs={"pid": runway.number})
def steps(m, a):
    for i in range(3):
        yield {"pid": os.getpid()}, i / 3
runway.run()
"""
    with serve(written(tmp_path, source), *ONE) as server:
        pid = server.post("pid").json()["pid"]
        if way == "http":
            found = {server.post("steps").json()["pid"]}
        else:
            url = f"ws://127.0.0.1:{server.port}/"
            with closing(websocket.create_connection(url, timeout=10)) as socket:
                socket.send(json.dumps({"type": "submit", "command": "steps", "inputData": {}}))
                found = set()
                while (message := json.loads(socket.recv()))["type"] != "succeeded":
                    if message["type"] == "output":
                        found.add(message["outputData"]["pid"])

        assert found == {pid}
        assert worker_pids(server) == {pid}


@case(41)
def test_a_model_that_prints_a_lot_is_not_blocked(tmp_path):
    with serve(written(tmp_path, CHATTER), *ONE) as server:
        for _ in range(3):
            assert server.post("chat", {"die": False}).json() == {"n": 1}
        assert "s" * 1000 in server.log(), "nothing of the setup's output is in the log"


@case(41, 7)
def test_the_last_words_of_a_dead_worker_are_in_the_log(tmp_path):
    with serve(written(tmp_path, CHATTER), *ONE) as server:
        named = {"X-Request-Id": "the-last-one"}
        error_of(server.post("chat", {"die": True}, headers=named), 500, "signal 9")

        wait_for(lambda: "worker-0 the-last-one | last words of the model" in server.log())
        wait_for(lambda: "worker-0 lost" in server.log())
        wait_for_workers(server, 1)


@case(36)
def test_inner_sockets_are_files_in_a_folder_of_its_owner(two: Served):
    pids = [two.process.pid, *(p.pid for p in psutil.Process(two.process.pid).children(True))]
    listening = set()
    for pid in pids:
        for connection in psutil.Process(pid).net_connections("inet"):
            if connection.status == psutil.CONN_LISTEN:
                listening.add((connection.laddr.ip, connection.laddr.port))

    assert listening == {("127.0.0.1", two.port)}
    paths = {
        connection.laddr
        for pid in pids
        for connection in psutil.Process(pid).net_connections("unix")
        if connection.laddr.startswith("/")
    }
    folders = {os.path.dirname(path) for path in paths}
    assert len(folders) == 1
    assert os.stat(folders.pop()).st_mode & 0o777 == 0o700


@case(36)
@pytest.mark.parametrize(
    "frames",
    [
        [b""],
        [b"\0" * 9],
        [b"\x93", b"x"],
        [b"cos\nsystem\n(S'true'\ntR."],
        [pack_one({"op": "batch"})],
        [pack_one({"op": "batch", "id": 1, "command": "half", "room": None, "tasks": [5]})],
        [pack_one({"op": "cancel", "tasks": ["x"]})],
        [pack_one({"op": "setup", "generation": 1, "options": 5})],
        [pack_one([1, 2, 3])],
    ],
)
def test_frames_that_mean_nothing_are_dropped(two: Served, pids, frames: list[bytes]):
    import zmq

    (folder,) = {
        os.path.dirname(connection.laddr)
        for pid in pids
        for connection in psutil.Process(pid).net_connections("unix")
        if connection.laddr.startswith("/")
    }
    context = zmq.Context()
    try:
        for name in ("worker-0", "worker-1", "control"):
            stranger = context.socket(zmq.DEALER)
            stranger.connect(f"ipc://{folder}/{name}")
            for _ in range(20):
                stranger.send_multipart(frames)
            stranger.close(linger=1000)
    finally:
        context.term()

    for _ in range(6):
        assert two.post("half", {"x": 4}).json() == {"y": 2}
    assert two.get("/ready").json()["workers"] == 2
    assert two.process.poll() is None


@case(36)
def test_nothing_that_is_received_is_unpickled():
    from pathlib import Path

    root = Path(__file__).parents[2]
    for folder in ("runway", "runway_serve", "workers", "batching"):
        for path in (root / folder).rglob("*.py"):
            source = path.read_text()
            for name in ("recv_pyobj", "pickle.loads", "pickle.load(", "import pickle", "marshal"):
                assert name not in source, f"{path}: {name}"


@case(7)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_a_worker_that_is_killed_while_idle_is_replaced(tmp_path, number: int):
    with serve(written(tmp_path, CHATTER), *TWO) as server:
        wait_for_workers(server, 2)
        victim = min(worker_pids(server))
        os.kill(victim, number)

        wait_for(lambda: metric(server, "runway_worker_restarts_total") == 1)
        wait_for_workers(server, 2)
        assert victim not in worker_pids(server)
