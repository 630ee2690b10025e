"""Ask for devices in a process of its own, which sees pretend cards or pretend bindings."""

import json
import os
import subprocess
import sys

import pytest

ASK = """
import json, sys
from dataclasses import asdict
from runway_serve.workers.devices import NoUsableGpuError, discover
try:
    found = discover(**json.loads(sys.argv[1]))
    print(json.dumps(asdict(found)))
except NoUsableGpuError as error:
    print(json.dumps({"error": str(error)}))
"""
PYNVML = """
class NVMLError(Exception): pass
class NVMLError_LibraryNotFound(NVMLError): pass
class NVMLError_LibRmVersionMismatch(NVMLError): pass
class NVMLError_NotSupported(NVMLError): pass
def nvmlShutdown(): pass
"""


def child(code: str, env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=env,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )


def ask(env: dict[str, str], spec: str = "all", **arguments) -> dict:
    return json.loads(child(ASK, env, json.dumps({"spec": spec, **arguments})).stdout)


def uuids(answer: dict) -> list[str]:
    return [device["uuid"] for device in answer["devices"]]


def cpu_with_reason(answer: dict) -> str:
    """The one note of an answer that fell back to one CPU device."""
    assert [device["kind"] for device in answer["devices"]] == ["cpu"]
    (note,) = answer["notes"]
    assert "\n" not in note
    return note


@pytest.fixture
def bindings(tmp_path):
    """`bindings(source)`: environment of a child whose `import pynvml` finds that source."""

    def environ(source: str) -> dict[str, str]:
        (tmp_path / "pynvml.py").write_text(source)
        return {**os.environ, "PYTHONPATH": str(tmp_path)}

    return environ
