"""Where the time of a request goes: marks of `time.perf_counter`, one JSON line a task, for `benchmarks/hops.py`.

Off unless `RW_TRACE` names a folder. On Linux the clock is one for all processes, so marks of front and worker compare.
"""

from __future__ import annotations

import atexit
import json
import os
from collections.abc import Mapping
from pathlib import Path

VARIABLE = "RW_TRACE"
Marks = dict[str, float]


def trace_file(process: str) -> TraceFile | None:
    """The trace of this process; None while nobody asked for one."""
    folder = os.environ.get(VARIABLE)
    return None if not folder else TraceFile(Path(folder) / f"{process}-{os.getpid()}.jsonl")


class TraceFile:
    """Takes the marks of tasks; `hold` tasks are kept in memory before they are written."""

    def __init__(self, path: Path, hold: int = 100) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._hold = hold
        self._lines: list[str] = []
        atexit.register(self.flush)

    def add(self, task_id: int, marks: Mapping[str, float]) -> None:
        """The marks of a task, by the names that `benchmarks/hops.py` knows, in seconds."""
        self._lines.append(json.dumps({"task": task_id, **marks}))
        if len(self._lines) >= self._hold:
            self.flush()

    def flush(self) -> None:
        """Write what is held."""
        lines, self._lines = self._lines, []
        with self._path.open("a") as file:
            file.writelines(line + "\n" for line in lines)
