"""Finding the GPUs: bindings that fail, sets that are visible, names in every form, readings that are missing.

NVML is a pretend one (tests/fake_nvml), or a `pynvml.py` that stands first on the path; the workers are real.
"""
# ruff: noqa: F811  (pytest fixtures are arguments named like the import)

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fake_gpus import fake_gpus, gpu_uuid, mig_uuid  # noqa: F401
from tests.processes import clean_env, free_port
from tests.serving import Served, serve
from tests.trust.kinds import MODEL, case, metric, wait_for_workers

CARD = Path(__file__).parents[1] / "scripts" / "card.py"
PRINTED = re.compile(r"^worker-(\d+) \| environment (.*)$", re.MULTILINE)
BROKEN = """
class NVMLError(Exception): pass
class NVMLError_LibraryNotFound(NVMLError): pass
class NVMLError_LibRmVersionMismatch(NVMLError): pass
def nvmlInit(): raise {error}("{error}")
def nvmlShutdown(): pass
"""
ERRORS = ["NVMLError_LibraryNotFound", "NVMLError_LibRmVersionMismatch"]


@pytest.fixture
def broken(tmp_path, request):
    """The environment of a server whose bindings cannot start."""
    (tmp_path / "pynvml.py").write_text(BROKEN.format(error=request.param))
    import os

    return {"PYTHONPATH": f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}


def lines(server: Served, level: str) -> list[str]:
    return [line for line in server.log().splitlines() if f" {level} " in line]


@case(1)
@pytest.mark.parametrize("broken", ERRORS, indirect=True)
def test_without_nvml_the_cpu_serves_and_one_line_says_why(broken):
    with serve(MODEL, "--cpu-workers", "2", env=broken) as server:
        wait_for_workers(server, 2)
        (warning,) = lines(server, "WARNING")
        assert "no usable GPU" in warning and "CPU" in warning
        assert "Traceback" not in server.log()
        assert server.post("half", {"x": 4}).json() == {"y": 2}


@case(1)
@pytest.mark.parametrize("broken", ERRORS, indirect=True)
def test_a_card_that_was_asked_for_is_not_replaced_by_the_cpu(broken):
    command = [sys.executable, "-m", "runway_serve", str(MODEL), "--gpus", "0"]

    ended = subprocess.run(
        [*command, "--port", str(free_port())],
        env=clean_env(broken),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert ended.returncode != 0
    (line,) = ended.stderr.splitlines()
    assert "no usable GPU: NVML" in line and line.endswith("use --gpus none for CPU")


def cards(server: Served, count: int) -> list[dict[str, str]]:
    wait_for_workers(server, count)
    found = {int(index): json.loads(text) for index, text in PRINTED.findall(server.log())}
    return [found[index] for index in range(count)]


@case(2, 3)
@pytest.mark.parametrize(
    ("visible", "settings", "expected"),
    [
        ("3,1", {}, [gpu_uuid(3), gpu_uuid(1)]),
        ("GPU-c0de0001", {}, [gpu_uuid(1)]),
        (f"{gpu_uuid(2)},{gpu_uuid(0)}", {}, [gpu_uuid(2), gpu_uuid(0)]),
        (mig_uuid(1, 1), {"mig": "1:2"}, [mig_uuid(1, 1)]),
        ("1", {"mig": "1:2"}, [mig_uuid(1, 0), mig_uuid(1, 1)]),
    ],
    ids=["indices", "short", "uuids", "mig", "mig card"],
)
def test_each_worker_sees_the_card_that_is_its_own(fake_gpus, visible, settings, expected):
    env = {**fake_gpus(4, **settings), "CUDA_VISIBLE_DEVICES": visible}

    with serve(CARD, "--gpus", "all", env=env) as server:
        found = cards(server, len(expected))
        assert [card["CUDA_VISIBLE_DEVICES"] for card in found] == expected
        assert server.get("/meta").json()["GPU"] is True
        for uuid in expected:
            assert metric(server, "runway_worker_state", state="ready", device=uuid) == 1


@case(3)
@pytest.mark.parametrize("entry", ["GPU-dead", "9", "MIG-dead", "two"])
def test_an_entry_that_fits_nothing_ends_the_list_and_is_named(fake_gpus, entry):
    env = {**fake_gpus(4), "CUDA_VISIBLE_DEVICES": f"2,{entry},1"}

    with serve(CARD, env=env) as server:
        (card,) = cards(server, 1)
        assert card["CUDA_VISIBLE_DEVICES"] == gpu_uuid(2)
        assert any(entry in line for line in lines(server, "WARNING"))


@case(4)
def test_readings_that_a_card_lacks_are_absent_and_said_once(fake_gpus):
    with serve(CARD, env=fake_gpus(1, fail="memory,util")) as server:
        (card,) = cards(server, 1)
        for _ in range(3):
            text = server.get("/metrics").text

        assert card["CUDA_VISIBLE_DEVICES"] == gpu_uuid(0)
        samples = [line for line in text.splitlines() if line.startswith("runway_gpu_")]
        assert not [line for line in samples if "memory" in line or "utilization" in line]
        said = [line for line in server.log().splitlines() if "NotSupported" in line]
        assert len(said) <= 1
