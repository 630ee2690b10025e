"""Starts and stops the server that a benchmark looks at, and writes the files that wrk needs."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

ECHO = """
import runway
from runway.data_types import number, vector

@runway.command("echo", inputs={"vector": vector(length=128)}, outputs={"vector": vector(length=128)})
def echo(model, inputs):
    return inputs["vector"]

runway.run()
"""
VECTOR_BODY = json.dumps({"vector": [round(0.123456 + index / 7, 6) for index in range(128)]})
LUA = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
local file = io.open("{body}", "rb")
wrk.body = file:read("*a")
file:close()
"""
READY_S = 60.0


def written(path: Path, text: str) -> Path:
    """The path, after the text was written to it."""
    path.write_text(text)
    return path


def spread(values: list[float], form: str = "{:.2f}") -> str:
    """Median [least-most]."""
    middle, low, high = (form.format(f(values)) for f in (statistics.median, min, max))
    return f"{middle} [{low}-{high}]"


def post_script(folder: Path, body: Path) -> Path:
    """A wrk script that posts the JSON file `body`."""
    return written(folder / f"post-{body.stem}.lua", LUA.format(body=body.resolve()))


@contextlib.contextmanager
def served(
    model: Path, port: int, *flags: str, **environment: str
) -> Iterator[subprocess.Popen[bytes]]:
    """A ready `runway-serve` for a model script; its log is dropped."""
    command = [sys.executable, "-m", "runway_serve", str(model), "--port", str(port), *flags]
    server = subprocess.Popen(command, env={**os.environ, **environment}, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + READY_S
        while not _is_ready(port):
            if server.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"{' '.join(command)} did not get ready")
            time.sleep(0.1)
        yield server
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()


def _is_ready(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/ready").close()
    except OSError:
        return False
    return True
