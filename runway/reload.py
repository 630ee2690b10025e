"""`run(debug=True)`: a watcher process that starts the script again whenever one of its files changes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

CHILD_VARIABLE = "RUNWAY_RELOAD_CHILD"
POLL_S = 0.5


def is_child() -> bool:
    """Whether this process was started by a watcher, and so must serve."""
    return os.environ.get(CHILD_VARIABLE) == "1"


def run_reloading() -> None:
    """Keep a child running that serves the script; restart it when a watched file changes. Ends with Ctrl-C."""
    script = Path(sys.argv[0]).resolve().parent
    command = [sys.executable, *sys.argv]
    environment = {**os.environ, CHILD_VARIABLE: "1"}
    try:
        while True:
            before = _snapshot(script)
            child = subprocess.Popen(command, env=environment)
            try:
                changed = _wait_for_change(script, before)
            finally:
                child.terminate()
                child.wait()
            print(f"Reloading: {changed} changed", flush=True)
    except KeyboardInterrupt:
        return


def _wait_for_change(folder: Path, before: dict[str, float]) -> str:
    while True:
        time.sleep(POLL_S)
        now = _snapshot(folder)
        for path in now.keys() | before.keys():
            if now.get(path) != before.get(path):
                return path


def _snapshot(folder: Path) -> dict[str, float]:
    """Modification time of every Python file that was imported or lies in the script's folder."""
    loaded = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    paths = {str(path) for path in folder.rglob("*.py")} | {path for path in loaded if path}
    times = {}
    for path in paths:
        try:
            times[path] = os.stat(path).st_mtime
        except OSError:
            continue
    return times
