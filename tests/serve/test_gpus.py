"""One worker a card: what `runway-serve` gives its workers on machines with pretend GPUs."""
# ruff: noqa: F811  (pytest fixtures are arguments named like the import)

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.fake_gpus import fake_gpus, gpu_uuid, mig_uuid  # noqa: F401
from tests.processes import clean_env, free_port
from tests.serving import Served, serve

CARD = Path(__file__).parents[1] / "scripts" / "card.py"
PRINTED = re.compile(r"^worker-(\d+) \| environment (.*)$", re.MULTILINE)
READY_S = 20.0


def environments(server: Served, workers: int) -> list[dict[str, str | None]]:
    """What the script found at its import, worker by worker, once all of them are ready."""
    deadline = time.monotonic() + READY_S
    while (counts := server.get("/ready").json())["workers"] < workers:
        assert time.monotonic() < deadline, server.log()[-3000:]
        time.sleep(0.05)
    assert counts["workers_wanted"] == workers
    printed = {int(index): json.loads(found) for index, found in PRINTED.findall(server.log())}
    assert sorted(printed) == list(range(workers))
    return [printed[index] for index in range(workers)]


def visible(server: Served, workers: int) -> list[str | None]:
    return [found["CUDA_VISIBLE_DEVICES"] for found in environments(server, workers)]


def warnings(server: Served) -> list[str]:
    """The supervisor's warnings, without their time."""
    lines = server.log().splitlines()
    return [line.split(" WARNING ", 1)[1] for line in lines if " WARNING " in line]


@pytest.fixture(scope="module")
def four(fake_gpus):
    with serve(CARD, env=fake_gpus(4)) as server:
        environments(server, 4)
        yield server


def test_four_cards_give_four_workers_each_with_its_own(four):
    found = environments(four, 4)

    assert [one["CUDA_VISIBLE_DEVICES"] for one in found] == [gpu_uuid(i) for i in range(4)]
    assert {one["CUDA_DEVICE_ORDER"] for one in found} == {"PCI_BUS_ID"}
    assert {one["GPU"] for one in found} == {"1"}
    assert {one["TF_FORCE_GPU_ALLOW_GROWTH"] for one in found} == {"true"}
    assert four.post("card", {"of": ""}).json()["card"] in {gpu_uuid(i) for i in range(4)}
    assert warnings(four) == []


def test_meta_and_the_log_tell_of_the_cards(four):
    assert four.get("/meta").json()["GPU"] is True
    for index in range(4):
        assert f"worker-{index} on {gpu_uuid(index)[:12]} (" in four.log()


def test_the_successor_of_a_worker_gets_the_same_card(four):
    (worker,) = [
        process
        for process in psutil.Process(four.process.pid).children()
        if process.environ().get("CUDA_VISIBLE_DEVICES") == gpu_uuid(2)
    ]
    worker.kill()

    deadline = time.monotonic() + READY_S
    while len(PRINTED.findall(four.log())) < 5:
        assert time.monotonic() < deadline, four.log()[-3000:]
        time.sleep(0.05)
    assert environments(four, 4)[2]["CUDA_VISIBLE_DEVICES"] == gpu_uuid(2)


@pytest.mark.parametrize(
    ("inherited", "cards"),
    [
        ("3,1", [gpu_uuid(3), gpu_uuid(1)]),
        ("GPU-c0de0002", [gpu_uuid(2)]),
    ],
)
def test_inherited_cards_are_used_in_their_order(fake_gpus, inherited, cards):
    env = {**fake_gpus(4), "CUDA_VISIBLE_DEVICES": inherited}

    with serve(CARD, env=env) as server:
        assert visible(server, len(cards)) == cards


@pytest.mark.parametrize(
    ("flags", "variables"),
    [(("--gpus", "2,0"), {}), ((), {"RW_GPUS": "2,0"}), (("--gpus", "2,0"), {"RW_GPUS": "none"})],
    ids=["flag", "variable", "flag over variable"],
)
def test_cards_that_were_asked_for_are_used(fake_gpus, flags, variables):
    with serve(CARD, *flags, env={**fake_gpus(4), **variables}) as server:
        assert visible(server, 2) == [gpu_uuid(2), gpu_uuid(0)]


def test_each_mig_instance_gets_a_worker(fake_gpus):
    env = {**fake_gpus(2, mig="1:2"), "CUDA_VISIBLE_DEVICES": "1"}

    with serve(CARD, env=env) as server:
        assert visible(server, 2) == [mig_uuid(1, 0), mig_uuid(1, 1)]
        assert server.get("/meta").json()["GPU"] is True


def test_a_lost_card_is_left_out_and_named(fake_gpus):
    with serve(CARD, env=fake_gpus(3, lost=1)) as server:
        assert visible(server, 2) == [gpu_uuid(0), gpu_uuid(2)]
        (warning,) = warnings(server)
        assert warning.startswith("GPU 1 is skipped: ")


def test_several_workers_share_a_card(fake_gpus):
    with serve(CARD, "--workers-per-gpu", "2", env=fake_gpus(2)) as server:
        assert visible(server, 4) == [gpu_uuid(0), gpu_uuid(1)] * 2


def test_a_missing_driver_gives_cpu_workers_and_one_line_why(fake_gpus):
    with serve(CARD, "--cpu-workers", "2", env=fake_gpus(4, init_error=9)) as server:
        found = environments(server, 2)

        assert [one["CUDA_VISIBLE_DEVICES"] for one in found] == ["", ""]
        assert [one["GPU"] for one in found] == [None, None]
        assert server.get("/meta").json()["GPU"] is False
        (warning,) = warnings(server)
        assert warning.startswith("no usable GPU: NVML cannot start: ")
        assert "Driver Not Loaded" in warning
        assert warning.endswith("; running on the CPU")


def test_gpus_none_hides_the_cards(fake_gpus):
    env = {**fake_gpus(4), "CUDA_VISIBLE_DEVICES": "0,1"}

    with serve(CARD, "--gpus", "none", env=env) as server:
        assert visible(server, 1) == [""]
        assert server.get("/meta").json()["GPU"] is False
        assert warnings(server) == []


@pytest.mark.parametrize(
    ("settings", "spec", "reason"),
    [
        ({"init_error": 9}, "0", "Driver Not Loaded"),
        ({}, "4", "'4' fits none or several of the 4 GPUs"),
        ({}, "GPU-dead", "'GPU-dead' fits none or several of the 4 GPUs"),
        ({}, "two", "'two' fits none or several of the 4 GPUs"),
    ],
)
def test_a_card_that_cannot_be_had_ends_the_server_before_any_setup(
    fake_gpus, settings, spec, reason
):
    env = clean_env(fake_gpus(4, **settings))
    command = [sys.executable, "-m", "runway_serve", str(CARD), "--gpus", spec]

    ended = subprocess.run(
        [*command, "--port", str(free_port())],
        env=env,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert line.startswith("runway-serve: no usable GPU: ")
    assert reason in line
    assert line.endswith("; use --gpus none for CPU")
    assert ended.stdout == ""
