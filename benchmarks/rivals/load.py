"""Loads: `wrk` in a closed loop, equally cheap for everyone, and a rate of small and large requests for W7."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).with_name("load.lua")
LONGEST_ANSWER_S = 10


class LoadError(RuntimeError):
    """The generator failed, or some answer was not a 200 in time: such a measurement counts for nothing."""


def closed_loop(url: str, body: bytes, clients: int, seconds: float) -> dict[str, float]:
    """Answers a second and percentiles in ms of that many clients, each sending as soon as it is answered.

    Raises:
        LoadError: an answer was an error, or none came.
    """
    wrk = shutil.which("wrk")
    if wrk is None:
        raise LoadError("wrk is not installed: apt-get install wrk")
    with tempfile.NamedTemporaryFile() as file:
        file.write(body)
        file.flush()
        # wrk takes whole seconds
        command = [wrk, "-t1", f"-c{clients}", f"-d{max(1, round(seconds))}s"]
        command += [f"--timeout={LONGEST_ANSWER_S}s", "-s", str(SCRIPT), url]
        done = subprocess.run(
            command,
            env={**os.environ, "RIVAL_BODY": file.name},
            capture_output=True,
            text=True,
            timeout=seconds + 3 * LONGEST_ANSWER_S,
            check=False,
        )
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines or not lines[-1].startswith("{"):
        raise LoadError(f"wrk failed: {(done.stderr or done.stdout).strip()[-300:]}")
    figures: dict[str, Any] = json.loads(lines[-1])
    errors = {name: figures.pop(name) for name in list(figures) if name.endswith("errors")}
    errors["timeouts"] = figures.pop("timeouts")
    if any(errors.values()) or not figures["requests"]:
        raise LoadError(f"{figures['requests']} requests with errors: {errors}")
    figures["requests_per_s"] = figures["requests"] / figures.pop("duration_s")
    return figures
