"""The pipe that ties a process which runs a model script to the one that started it."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from typing import Any


def take_lifeline() -> dict[str, Any]:
    """The configuration; from here on the script sees an empty stdin, and the pipe's end ends this process group."""
    lifeline = os.dup(0)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(lifeline, 1)
        if not byte:
            sys.exit("runway_serve.workers is started by runway-serve, not by hand")
        line += byte

    def wait() -> None:
        os.read(lifeline, 1)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=wait, name="lifeline", daemon=True).start()
    config: dict[str, Any] = json.loads(line)
    return config
