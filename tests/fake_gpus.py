"""Fixture `fake_gpus`: the environment of a child process that sees pretend GPUs.

Use: `from tests.fake_gpus import fake_gpus` in the test module (the name must be there, pytest finds it).
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

SOURCES = Path(__file__).parent / "fake_nvml"


@pytest.fixture(scope="session")
def fake_gpus(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., dict[str, str]]:
    """`fake_gpus(4, mig="1:2")`: this environment plus 4 cards; settings are in fake_nvml/README.md."""
    compiler = os.environ.get("CC", "cc")
    if shutil.which(compiler) is None:
        pytest.skip(f"no C compiler ({compiler}) to build the pretend GPUs")
    folder = tmp_path_factory.mktemp("fake_nvml")
    built = subprocess.run(
        ["sh", SOURCES / "build.sh", folder], capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr

    def environ(count: int = 1, **settings: object) -> dict[str, str]:
        hidden = ("FAKE_NVML_", "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER")
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(hidden)}
        fake = {f"FAKE_NVML_{name.upper()}": str(value) for name, value in settings.items()}
        return {
            **inherited,
            "LD_LIBRARY_PATH": str(folder),
            "FAKE_NVML_GPUS": str(count),
            **fake,
        }

    return environ


def gpu_uuid(index: int) -> str:
    """UUID of the pretend card `index`."""
    return f"GPU-c0de{index:04x}-fa4e-4e71-a000-f00d{index:04x}0000"


def mig_uuid(index: int, slot: int) -> str:
    """UUID of instance `slot` of the pretend card `index`."""
    return f"MIG-c0de{index:04x}-fa4e-4e71-a000-f00d{index:04x}{slot + 1:04x}"
