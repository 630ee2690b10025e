"""How many threads a worker's libraries compute with: its share of the cores, unless the operator says otherwise."""

from __future__ import annotations

import math
import os

import pytest

from runway_serve.workers.cores import cpu_limit, thread_limits, usable_cores
from tests.serving import serve

SCRIPT = """
import os
import runway

NAMES = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")

@runway.command("threads", inputs={"x": runway.number}, outputs={"threads": runway.any})
def threads(model, inputs):
    return {"threads": {name: os.environ.get(name) for name in NAMES}}

runway.run()
"""


def threads_of_a_worker(folder, workers: int, **env: str):
    script = folder / "runway_model.py"
    script.write_text(SCRIPT)
    with serve(script, "--gpus", "none", "--cpu-workers", str(workers), env=env) as server:
        return server.post("threads", {"x": 1}).json()["threads"]


def test_workers_share_the_cores(tmp_path):
    share = max(1, usable_cores() // 2)

    assert set(threads_of_a_worker(tmp_path, 2).values()) == {str(share)}


def test_what_the_operator_set_stays(tmp_path):
    threads = threads_of_a_worker(tmp_path, 2, OMP_NUM_THREADS="7")

    assert threads["OMP_NUM_THREADS"] == "7"


def test_one_worker_alone_is_left_to_what_its_libraries_do():
    if usable_cores() < len(os.sched_getaffinity(0)):
        pytest.skip("this container may use fewer cores than it sees, so a worker is told how many")

    assert thread_limits(1) == {}


def test_more_workers_than_cores_have_one_thread_each():
    assert set(thread_limits(10_000).values()) == {"1"}


@pytest.mark.parametrize(
    ("files", "groups", "cores"),
    [
        ({"cpu.max": "150000 100000\n"}, "0::/", 1.5),
        ({"cpu.max": "max 100000\n"}, "0::/", math.inf),
        ({"a/b/cpu.max": "max 100000\n", "a/cpu.max": "400000 100000\n"}, "0::/a/b", 4),
        ({"a/b/cpu.max": "200000 100000\n", "a/cpu.max": "400000 100000\n"}, "0::/a/b", 2),
        ({"other/cpu.max": "100000 100000\n"}, "0::/a", math.inf),
        (
            {"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"},
            "3:cpu,cpuacct:/docker/1f\n2:memory:/docker/1f\n0::/",
            3,
        ),
        (
            {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"},
            "1:cpu:/",
            math.inf,
        ),
        ({"cpu.max": "nonsense"}, "0::/", math.inf),
        ({}, "", math.inf),
    ],
)
def test_a_containers_limit_is_read(tmp_path, files, groups, cores):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    assert cpu_limit(groups, tmp_path) == cores
