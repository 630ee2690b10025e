"""`runway-serve top` against a real server: what its frames say is what the clients saw."""
# ruff: noqa: F811  (pytest fixtures are arguments named like the import)

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import psutil
import pytest

from runway_serve.bench.target import Target
from runway_serve.top.frame import Frame
from runway_serve.top.scrape import Scrape, TopError, scrape
from tests.fake_gpus import fake_gpus, gpu_uuid  # noqa: F401
from tests.processes import clean_env, free_port
from tests.serving import Served, run_script, serve

SCRIPTS = Path(__file__).parents[2] / "scripts"
LIFE = SCRIPTS / "life.py"
TWO = ("--gpus", "none", "--cpu-workers", "2")
DEADLINE_S = 30.0


def target(server: Served, token: str = "") -> Target:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return Target.of(server.url, "", b"", headers)


def frame_when(server: Served, is_so: Callable[[Frame], bool], before: Scrape | None) -> Frame:
    end = time.monotonic() + DEADLINE_S
    while not is_so(frame := Frame.of(scrape(target(server)), before)):
        assert time.monotonic() < end, frame
        time.sleep(0.02)
    return frame


def command(frame: Frame, name: str):
    (found,) = [command for command in frame.commands if command.name == name]
    return found


def top(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "runway_serve", "top", *words],
        env=clean_env(variables),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


def test_a_frame_tells_what_load_refusals_and_a_dead_worker_did():
    with serve(LIFE, *TWO, "--max-queue", "2") as server, ThreadPoolExecutor(12) as pool:
        frame_when(server, lambda frame: [w.state for w in frame.workers] == ["ready"] * 2, None)
        before = scrape(target(server))

        naps = [pool.submit(server.post, "nap", {"s": 0.4}) for _ in range(12)]
        frame = frame_when(server, lambda frame: command(frame, "nap").waiting == 2, before)
        assert command(frame, "nap").running == 2
        codes = Counter(str(nap.result().status_code) for nap in naps)
        frame = frame_when(server, lambda frame: command(frame, "nap").running == 0, before)

        nap = command(frame, "nap")
        assert nap.answers == codes
        assert codes["200"] >= 4 and codes["503"] >= 1
        assert frame.refusals == {"queue_full": codes["503"]}
        for code, count in codes.items():
            assert nap.rates[code] == pytest.approx(count / frame.seconds)
        assert nap.batch_size == 1
        assert 0.262 < nap.run.p50_s <= nap.run.p95_s <= nap.run.p99_s < 1.05  # its buckets
        assert nap.wait.p99_s > 0.262, "two of them waited for a whole nap"
        assert nap.encode.p50_s < 0.1

        psutil.Process(int(server.post("nap", {"s": 0}).json()["pid"])).kill()
        frame = frame_when(
            server,
            lambda frame: (
                sum(worker.restarts.total() for worker in frame.workers) == 1
                and all(worker.state == "ready" for worker in frame.workers)
            ),
            before,
        )
        assert [worker.name for worker in frame.workers] == ["worker-0", "worker-1"]
        assert {worker.device for worker in frame.workers} == {"cpu"}
        assert sorted(dict(worker.restarts) for worker in frame.workers if worker.restarts) == [
            {"signal 9": 1}
        ]
        assert frame.front_memory_bytes > 10 << 20


def test_batches_and_quantiles_are_those_since_the_frame_before():
    with serve(LIFE, *TWO) as server, ThreadPoolExecutor(24) as pool:
        assert server.post("nap", {"s": 0.6}).status_code == 200
        before = scrape(target(server))
        list(pool.map(lambda x: server.post("double", {"x": 100 + x}), range(24)))
        frame = frame_when(server, lambda frame: command(frame, "double").running == 0, before)

    assert command(frame, "double").batch_size > 1
    assert command(frame, "double").answers == {"200": 24}
    assert command(frame, "nap").answers == {"200": 1}
    assert command(frame, "nap").rates == {"200": 0}
    assert command(frame, "nap").run.p50_s is None, "nothing ran since"


def test_cards_are_shown_by_uuid(fake_gpus):
    env = fake_gpus(2, mem_mb=8192, used_mb="1024,2048", util="25,100")
    with serve(SCRIPTS / "card.py", env=env) as server:
        frame = frame_when(server, lambda frame: len(frame.cards) == 2, None)
        printed = top(server.url, "--once", "--interval", "0.1").stdout

    one, two = frame.cards
    assert (one.uuid, one.memory_used_bytes, one.utilization) == (gpu_uuid(0), 1024 << 20, 0.25)
    assert (two.uuid, two.memory_total_bytes, two.utilization) == (gpu_uuid(1), 8192 << 20, 1)
    assert {worker.device for worker in frame.workers} == {gpu_uuid(0), gpu_uuid(1)}
    row = next(line for line in printed.splitlines() if line.startswith(gpu_uuid(1)))
    assert re.findall(r"\S+ GiB|\d+%", row) == ["2.00 GiB", "8.00 GiB", "100%"]


def test_once_prints_plain_text_into_a_pipe():
    with serve(LIFE, *TWO) as server:
        for x in (2, 4, 66):
            server.post("half", {"x": x})
        ended = top(server.url, "--once", "--interval", "0.2")

    assert (ended.returncode, ended.stderr) == (0, "")
    assert "\x1b" not in ended.stdout
    rows = [line.split() for line in ended.stdout.splitlines()]
    assert ["half", "200:0.0", "500:0.0", "200:2", "500:1", "0", "0", "-"] in rows
    assert ["worker-1", "cpu", "ready", "0"] in rows
    assert ["Refused:", "nothing"] in rows


def test_a_token_is_sent_from_the_flag_or_the_variable():
    with serve(LIFE, *TWO, "--token", "s3cret") as server:
        refused = top(server.url, "--once", "--interval", "0.1")
        wrong = top(server.url, "--once", "--interval", "0.1", "--token", "other")
        flag = top(server.url, "--once", "--interval", "0.1", "--token", "s3cret")
        variable = top(server.url, "--once", "--interval", "0.1", RW_TOKEN="s3cret,spare")

    for ended in (refused, wrong):
        assert ended.returncode == 1
        assert "--token or RW_TOKEN" in ended.stderr and "Traceback" not in ended.stderr
    assert flag.returncode == variable.returncode == 0
    assert "unauthorized 2" in flag.stdout


def test_a_place_where_nothing_answers_is_named():
    port = free_port()

    ended = top(f"127.0.0.1:{port}", "--once")

    assert ended.returncode == 1
    assert f"no server listens at http://127.0.0.1:{port}" in ended.stderr
    assert ended.stdout == ""


class Elsewhere(BaseHTTPRequestHandler):
    """Another program that has metrics too."""

    def do_GET(self) -> None:
        body = b"# TYPE other gauge\nother 1\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


def test_metrics_of_something_else_are_told_apart():
    with HTTPServer(("127.0.0.1", 0), Elsewhere) as other:
        thread = Thread(target=other.serve_forever)
        thread.start()
        try:
            with pytest.raises(TopError, match="without metrics of runway-serve"):
                scrape(Target.of(f"http://127.0.0.1:{other.server_port}", "", b""))
        finally:
            other.shutdown()
            thread.join()


def test_a_script_that_runs_alone_has_nothing_to_show():
    with run_script(LIFE) as server:
        ended = top(server.url, "--once")

    assert ended.returncode == 1
    assert "a script that runs without runway-serve" in ended.stderr


@pytest.mark.parametrize("words", [["--interval", "0"], ["--interval", "x"], ["ftp://x"]])
def test_what_makes_no_sense_is_refused(words: list[str]):
    ended = top(*words, "--once")

    assert ended.returncode != 0
    assert words[-1] in ended.stderr and "Traceback" not in ended.stderr


def test_the_live_view_goes_on_without_the_server_and_ends_by_ctrl_c():
    ours, theirs = pty.openpty()
    try:
        with serve(LIFE, *TWO) as server:
            words = ["-m", "runway_serve", "top", server.url, "--interval", "0.2"]
            view = subprocess.Popen(
                [sys.executable, *words],
                env=clean_env({"TERM": "xterm", "COLUMNS": "120", "LINES": "40"}),
                stdin=subprocess.DEVNULL,
                stdout=theirs,
            )
            try:
                seen = read_until(ours, b"last 0.2 s")
                assert b"worker-1" in seen
                server.process.send_signal(signal.SIGTERM)
                read_until(ours, b"no news: no server listens")
                view.send_signal(signal.SIGINT)
                assert view.wait(DEADLINE_S) == 0
            finally:
                view.kill()
                view.wait()
    finally:
        os.close(ours)
        os.close(theirs)


def read_until(terminal: int, text: bytes) -> bytes:
    seen = b""
    end = time.monotonic() + DEADLINE_S
    while text not in seen:
        assert time.monotonic() < end, seen
        if select.select([terminal], [], [], 0.1)[0]:
            seen += os.read(terminal, 65536)
    return seen
