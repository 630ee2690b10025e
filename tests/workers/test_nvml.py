"""What NVML does not say must not hurt, and nothing of it stays in the process that asked."""
# ruff: noqa: F811  (pytest fixtures are arguments named like the import)

import json
import os

import pytest

from runway_serve.workers.devices import Device
from tests.fake_gpus import fake_gpus, gpu_uuid  # noqa: F401
from tests.workers.discovery import PYNVML, ask, bindings, child, uuids  # noqa: F401

READ = """
import json, logging, sys
logging.basicConfig(format="%(message)s")
from runway_serve.workers.devices import readings
for _ in range(3):
    found = readings(sys.argv[1:])
print(json.dumps(found))
"""
# Two cards whose names and UUIDs are bytes, as older bindings gave them, and who know nothing else.
PYNVML_OLD = (
    PYNVML
    + """
def nvmlInit(): pass
def nvmlDeviceGetCount(): return 2
def nvmlDeviceGetHandleByIndex(i): return i
def nvmlDeviceGetUUID(i): return b"GPU-%08d-aa" % i
def nvmlDeviceGetName(i): return b"Old card"
def nvmlDeviceGetMemoryInfo(i): raise NVMLError_NotSupported
"""
)


class TestOptionalReadings:
    """Case 4 of the known failures."""

    @pytest.mark.parametrize("code", [3, 13])
    def test_a_card_that_answers_little_is_used(self, fake_gpus, code):
        fail = ",".join(f"{name}:{code}" for name in ("memory", "util", "temp", "mig", "name"))

        answer = ask(fake_gpus(1, fail=fail))

        assert uuids(answer) == [gpu_uuid(0)]
        assert answer["devices"][0]["memory_bytes"] is None
        assert answer["notes"] == []

    def test_a_card_without_uuid_is_known_by_its_number(self, fake_gpus):
        (device,) = ask(fake_gpus(1, fail="uuid"))["devices"]

        assert Device(**device).environ()["CUDA_VISIBLE_DEVICES"] == "0"

    def test_old_bindings_answer_bytes_and_lack_functions(self, bindings):
        answer = ask(bindings(PYNVML_OLD), visible="GPU-00000001")

        (device,) = answer["devices"]
        assert (device["uuid"], device["name"]) == ("GPU-00000001-aa", "Old card")

    def test_readings_are_given_in_base_units(self, fake_gpus):
        env = fake_gpus(2, used_mb="0,512", util="0,37")

        found = json.loads(child(READ, env, gpu_uuid(1)).stdout)

        assert found == {
            gpu_uuid(1): {
                "memory_used_bytes": 512 << 20,
                "memory_total_bytes": 24 << 30,
                "utilization_ratio": 0.37,
                "temperature_celsius": 41,
            }
        }

    def test_what_is_not_supported_is_absent_and_logged_once(self, fake_gpus):
        done = child(READ, fake_gpus(2, fail="util,memory"), gpu_uuid(0))

        assert json.loads(done.stdout) == {gpu_uuid(0): {"temperature_celsius": 40}}
        assert done.stderr.splitlines() == [
            f"{gpu_uuid(0)} has no memory: Not Supported",
            f"{gpu_uuid(0)} has no utilization: Not Supported",
        ]

    @pytest.mark.parametrize(
        "settings", [{"lost": 0}, {"init_error": 9}, {"fail": "handle"}, {"count": 0}]
    )
    def test_readings_of_a_card_that_is_gone_are_empty_and_logged_once(self, fake_gpus, settings):
        done = child(READ, fake_gpus(**settings), gpu_uuid(0))

        assert json.loads(done.stdout) == {gpu_uuid(0): {}}
        assert len(done.stderr.splitlines()) == 1


def test_nvml_is_shut_down_after_every_call(fake_gpus):
    code = f"""
import pynvml
from runway_serve.workers.devices import discover, readings
discover(); readings(["{gpu_uuid(0)}"]); discover(visible="9")
try:
    pynvml.nvmlDeviceGetCount()
except pynvml.NVMLError_Uninitialized:
    print("shut down")
"""

    assert child(code, fake_gpus(1)).stdout == "shut down\n"


def test_pynvml_is_loaded_only_when_asked():
    code = "import sys, runway_serve.workers.devices; print('pynvml' in sys.modules)"

    assert child(code, dict(os.environ)).stdout == "False\n"
