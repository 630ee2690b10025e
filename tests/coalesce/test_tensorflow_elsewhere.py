"""`test_tensorflow.py` where TensorFlow is not here, but in the environment that PYTHON_TENSORFLOW names."""

from __future__ import annotations

import importlib.util
import os
import subprocess
from pathlib import Path

import pytest

OTHER_PYTHON = os.environ.get("PYTHON_TENSORFLOW")
pytestmark = pytest.mark.skipif(
    OTHER_PYTHON is None or importlib.util.find_spec("tensorflow") is not None,
    reason="PYTHON_TENSORFLOW names no interpreter, or TensorFlow is here",
)
ROOT = Path(__file__).resolve().parents[2]


def test_sessions_and_models_in_the_other_environment():
    tests = ROOT / "tests" / "coalesce" / "test_tensorflow.py"
    ended = subprocess.run(
        [str(OTHER_PYTHON), "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tests)],
        cwd=ROOT,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert ended.returncode == 0, ended.stdout[-4000:] + ended.stderr[-2000:]
    assert " passed" in ended.stdout
