"""Copies what a worker prints to the log, with the worker's name in front."""

from __future__ import annotations

import os
import select
import sys
import time
from collections import deque
from typing import IO

LINE_BYTES = 65_536  # longer lines are cut
UNFINISHED_LINE_S = 1.0  # progress bars write no line end; they are shown where they are


def pump(stream: IO[bytes], name: str, last_lines: deque[str]) -> None:
    """Copy a worker's output to the log, line by line, so that a full pipe never blocks the model."""
    fd = stream.fileno()
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    pending, due = b"", 0.0
    while True:
        if pending and not poller.poll(max(0.0, due - time.monotonic()) * 1000):
            _log_line(pending, name, last_lines)
            pending = b""
        chunk = os.read(fd, LINE_BYTES)
        if not chunk:
            break
        begins_line = not pending or b"\n" in chunk
        if begins_line:
            due = time.monotonic() + UNFINISHED_LINE_S
        *lines, pending = (pending + chunk).split(b"\n")
        if len(pending) > LINE_BYTES:
            lines, pending = [*lines, pending], b""
        for line in lines:
            _log_line(line, name, last_lines)
    if pending:
        _log_line(pending, name, last_lines)
    stream.close()


def _log_line(line: bytes, name: str, last_lines: deque[str]) -> None:
    last_state = line.rstrip(b"\r").rpartition(b"\r")[2]  # of a progress bar, as on a terminal
    text = last_state.decode("utf-8", "replace")
    last_lines.append(text[:1000])
    sys.stderr.write(f"{name} | {text}\n")
    sys.stderr.flush()
