"""What a worker or a front leaves behind when it dies, and a disk that is full: found by the chaos runs."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import psutil
import pytest

from runway.archives import UnpackLimits, unpack
from runway.arena import SMALLEST_BLOCK, ArenaRoom
from runway.begun import BegunCell
from runway.fetch import FetchLimits, fetch
from tests.chaos.faults import fill
from tests.serving import Served, serve
from tests.trust.conftest import worker_pids
from tests.trust.kinds import (
    ONE,
    case,
    error_of,
    metric,
    raw,
    wait_for,
    wait_for_workers,
    written,
)

FREE = FetchLimits(1 << 30, 20.0)
SCRIPT = """
import os, runway, time
from runway.data_types import BaseType, any as anything, file, number
class strict(BaseType):
    def __init__(self): super().__init__("strict")
    def serialize(self, value): return value
    def deserialize(self, value): return {"known": 1}[value]
runs = os.environ.get("RUNS")
@runway.command("hold", inputs={"s": number}, outputs={"pid": number})
def hold(m, a):
    with open(runs, "a") as log: log.write("run\\n")
    time.sleep(a["s"]); return os.getpid()
@runway.command("read", inputs={"f": file}, outputs={"n": number})
def read(m, a): return os.path.getsize(a["f"])
@runway.command("own", inputs={"v": strict()}, outputs={"n": number})
def own(m, a): return a["v"]
@runway.command("each", inputs={"v": strict()}, outputs={"n": number}, batch=True)
def each(m, batch): return [{"n": a["v"]} for a in batch]
runway.run()
"""


class Trickle(BaseHTTPRequestHandler):
    """`/N` is N bytes; `/slow` begins and never ends by itself."""

    def do_GET(self) -> None:
        length = 1000 if self.path == "/slow" else int(self.path[1:])
        self.send_response(200)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.path == "/slow":
            self.wfile.write(b"x")
            self.server.is_over.wait(30)  # type: ignore[attr-defined]
        else:
            self.wfile.write(b"x" * length)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def files() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Trickle)
    server.is_over = threading.Event()  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.is_over.set()  # type: ignore[attr-defined]
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def script(tmp_path: Path) -> Path:
    return written(tmp_path, SCRIPT)


def front_of(server: Served) -> psutil.Process:
    """The process that answers HTTP."""
    masters = [
        child
        for child in psutil.Process(server.process.pid).children()
        if "runway_serve.front" in child.cmdline()
    ]
    (front,) = masters[0].children()
    return front


def has_bound(pid: int) -> bool:
    return any("/worker-" in c.laddr for c in psutil.Process(pid).net_connections("unix"))


@pytest.mark.parametrize("waiting", [0, 3])
def test_a_death_that_the_front_sees_late_runs_nothing_twice(
    script: Path, tmp_path: Path, waiting: int
):
    log = tmp_path / "runs"
    with serve(script, *ONE, env={"RUNS": str(log)}) as server, ThreadPoolExecutor(8) as pool:
        (before,) = worker_pids(server)
        front = front_of(server)
        begun = pool.submit(server.post, "hold", {"s": 60})
        wait_for(log.exists)
        others = [pool.submit(server.post, "hold", {"s": 0}) for _ in range(waiting)]
        wait_for(lambda: server.get("/ready").json()["queued"] == waiting)
        front.send_signal(signal.SIGSTOP)
        os.kill(before, signal.SIGKILL)
        wait_for(lambda: any(map(has_bound, worker_pids(server) - {before})))
        front.send_signal(signal.SIGCONT)

        error_of(begun.result(), 500, "Worker died while running this request (signal 9")

        assert [other.result().status_code for other in others] == [200] * waiting
        assert log.read_text().splitlines() == ["run"] * (1 + waiting)


def test_the_cell_of_a_dead_worker_is_not_its_successors(tmp_path: Path):
    path = str(tmp_path / "worker-0.begun")
    with closing(BegunCell(path, create=True)) as first, closing(BegunCell(path)) as seen:
        first.write(7)
        with closing(BegunCell(path, create=True)) as second:
            second.write(8)

            assert seen.read() == 7


def test_each_front_leases_memory_that_the_one_before_did_not():
    handle = os.memfd_create("runway-serve-test")
    try:
        os.ftruncate(handle, 8 * SMALLEST_BLOCK)
        taken = []
        for _ in range(3):
            room, mine = ArenaRoom(handle), set()
            leases = []
            while lease := room.lease(SMALLEST_BLOCK):
                leases.append(lease)
                mine.add(lease[0])
            taken.append(mine)
    finally:
        os.close(handle)

    assert all(taken) and 0 not in set().union(*taken), "the beginning holds the count"
    assert not taken[0] & taken[1] and not taken[1] & taken[2]


def test_a_front_that_gunicorn_replaced_answers_with_its_own_pictures(tmp_path: Path):
    source = """
import numpy as np, runway
@runway.command("turn", inputs={"i": runway.image}, outputs={"i": runway.image})
def turn(m, a): return np.asarray(a["i"])[::-1]
runway.run()
"""
    from tests.chaos.clients import picture

    data_uri, pixels = picture(1)
    with serve(written(tmp_path, source), *ONE) as server:
        for _ in range(3):
            front = front_of(server)
            answer = server.post(
                "turn", {"i": data_uri}, headers={"X-Runway-Output-Format": "i=PNG"}
            )
            assert np.array_equal(pixels_of(answer.json()["i"]), pixels[::-1])
            front.kill()
            front.wait(10)
            wait_for_workers(server, 1)


COUNTERS = (
    "runway_requests_total",
    "runway_run_seconds_count",
    "runway_run_seconds_sum",
    "runway_queue_wait_seconds_count",
    "runway_batch_size_sum",
    "runway_refusals_total",
)


def counters(server: Served) -> dict[str, float]:
    """Every series of `COUNTERS`, by its name with labels."""
    lines = (line.rpartition(" ") for line in server.get("/metrics").text.splitlines())
    return {name: float(value) for name, _, value in lines if name.startswith(COUNTERS)}


PROCESSES = {
    "front": front_of,
    "worker": lambda server: psutil.Process(next(iter(worker_pids(server)))),
}


@case(40)
@pytest.mark.parametrize("dies", PROCESSES)
def test_no_count_that_was_shown_falls_when_a_process_is_replaced(tmp_path: Path, dies: str):
    source = """
import runway
@runway.command("half", inputs={"x": runway.number(max=9)}, outputs={"y": runway.number})
def half(m, a): return a["x"] / 2
runway.run()
"""
    with serve(written(tmp_path, source), "--gpus", "none", "--cpu-workers", "2") as server:
        wait_for_workers(server, 2)
        for _ in range(2):
            before = counters(server)
            codes = [server.post("half", {"x": x}).status_code for x in (1, 2, 3, 10)]
            assert codes == [200, 200, 200, 400]
            shown = counters(server)
            name = 'runway_requests_total{code="200",command="half"}'
            assert shown[name] == before[name] + 3
            victim = PROCESSES[dies](server)
            victim.kill()
            victim.wait(10)
            wait_for_workers(server, 2)
            after = counters(server)
            assert {name: value for name, value in shown.items() if after[name] < value} == {}
            assert after[name] == shown[name]


def pixels_of(data_uri: str) -> np.ndarray:
    import base64
    import io

    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data_uri.partition(",")[2]))))


def test_what_a_killed_worker_was_fetching_goes_with_it(script: Path, tmp_path: Path, files: str):
    disk = tmp_path / "t"
    disk.mkdir()
    allowed = ("--allow-url", files)
    with (
        serve(script, *ONE, *allowed, env={"TMPDIR": str(disk)}) as server,
        ThreadPoolExecutor(1) as pool,
    ):
        (worker,) = worker_pids(server)
        fetching = pool.submit(server.post, "read", {"f": f"http://{files}/slow"})
        wait_for(lambda: list(disk.rglob("runway-files-*")))
        os.kill(worker, signal.SIGKILL)

        error_of(fetching.result(), 500, "Worker died")
        wait_for(lambda: not list(disk.rglob("runway-files-*")))
    assert list(disk.iterdir()) == []


@pytest.mark.parametrize("command", ["own", "each"])
def test_a_type_of_the_script_that_raises_is_an_error_of_the_model(script: Path, command: str):
    with serve(script, *ONE) as server:
        before = worker_pids(server)

        said = error_of(server.post(command, {"v": "strange"}), 500, "Error during inference:")

        assert "KeyError('strange')" in said
        assert server.post(command, {"v": "known"}).json() == {"n": 1}
        assert worker_pids(server) == before


def test_a_full_disk_is_not_taken_for_a_bad_address(files: str):
    with open("/dev/full", "wb", buffering=0) as target, pytest.raises(OSError, match="No space"):
        fetch(f"http://{files}/1000", target, FREE)


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A disk of 1 MB."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_refuses_what_needs_it_and_harms_no_worker(
    script: Path, tmp_path: Path, files: str
):
    allowed = ("--allow-url", files)
    with (
        small_disk(tmp_path / "t") as disk,
        serve(script, *ONE, *allowed, env={"TMPDIR": str(disk)}) as server,
    ):
        before = worker_pids(server)
        for size in (2 << 20, 900_000):
            asked = server.post("read", {"f": f"http://{files}/{size}"})
            if size > 1 << 20:
                error_of(asked, 503, "No space left", "TMPDIR")
                uploaded = raw(server, "/ui/files?name=a.bin", b"x" * size)
                error_of(uploaded, 503, "No space left", "TMPDIR")
            else:
                assert asked.json() == {"n": size}, "what did not fit still fills the disk"
        assert worker_pids(server) == before
        assert metric(server, "runway_worker_restarts_total") == 0


def test_a_worker_that_dies_while_the_disk_is_full_is_replaced(script: Path, tmp_path: Path):
    with (
        small_disk(tmp_path / "t") as disk,
        serve(script, *ONE, env={"TMPDIR": str(disk)}) as server,
    ):
        (before,) = worker_pids(server)
        fill(disk / "ballast")
        os.kill(before, signal.SIGKILL)

        wait_for(lambda: any(map(has_bound, worker_pids(server) - {before})))

        wait_for_workers(server, 1)
        assert server.post("own", {"v": "known"}).json() == {"n": 1}
        assert metric(server, "runway_worker_restarts_total") == 1


def test_an_archive_that_fills_the_disk_is_not_called_broken(tmp_path: Path):
    import tarfile

    archive = tmp_path / "a.tar"
    (tmp_path / "big").write_bytes(b"x" * (2 << 20))
    with tarfile.open(archive, "w") as tar:
        tar.add(tmp_path / "big", "big")

    with small_disk(tmp_path / "t") as disk, pytest.raises(OSError, match="No space"):
        unpack(str(archive), str(disk), UnpackLimits(10, 1 << 30, 20.0))
