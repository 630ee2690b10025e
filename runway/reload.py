"""`run(debug=True)`: a watcher process that starts the script again whenever one of its files changes."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

CHILD_VARIABLE = "RUNWAY_RELOAD_CHILD"
POLL_S = 0.5
GRACE_S = 1.0  # Ctrl-C reaches the child too; a second signal would disturb its end
STOP_S = 10.0  # a command that does not end would keep the old script alive
PR_SET_PDEATHSIG = 1


def is_child() -> bool:
    """Whether this process was started by a watcher, and so must serve."""
    return os.environ.get(CHILD_VARIABLE) == "1"


def run_reloading() -> None:
    """Keep a child running that serves the script; restart it when a watched file changes. Ends with Ctrl-C."""
    script = Path(sys.modules["__main__"].__file__ or sys.argv[0]).resolve()
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        while True:
            before = _snapshot(script.parent)
            child = _start(script)
            try:
                changed = _wait_for_change(script.parent, before)
                _end(child, grace_s=0.0)
            except KeyboardInterrupt:
                _end(child, grace_s=GRACE_S)
                raise
            print(f"Reloading: {changed} changed", flush=True)
    except KeyboardInterrupt:
        return
    finally:
        signal.signal(signal.SIGTERM, previous)


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _start(script: Path) -> subprocess.Popen[bytes]:
    """The command line of this process once more; by absolute path, as the script may have changed folders."""
    words = [str(script) if word == sys.argv[0] else word for word in sys.orig_argv[1:]]
    return subprocess.Popen(
        [sys.executable, *words],
        env={**os.environ, CHILD_VARIABLE: "1"},
        preexec_fn=_end_with_parent(),  # noqa: PLW1509 - one call of libc, which takes no lock
    )


def _end_with_parent() -> Callable[[], object] | None:
    """What a child has to call to get SIGTERM when this process is killed; only Linux has it."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _end(child: subprocess.Popen[bytes], grace_s: float) -> None:
    for wait_s, end in ((grace_s, child.terminate), (STOP_S, child.kill)):
        try:
            child.wait(wait_s)
            return
        except subprocess.TimeoutExpired:
            end()
    child.wait()


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
    times = {}
    for path in {*_sources(folder), *(path for path in loaded if path)}:
        try:
            times[path] = os.stat(path).st_mtime
        except OSError:
            continue
    return times


def _sources(folder: Path) -> list[str]:
    """Python files below a folder, without those of virtual environments and hidden folders."""
    found = []
    for place, folders, files in os.walk(folder):
        if "pyvenv.cfg" in files:
            folders.clear()
            continue
        folders[:] = [name for name in folders if not name.startswith((".", "__pycache__"))]
        found += [os.path.join(place, name) for name in files if name.endswith(".py")]
    return found
