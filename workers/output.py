"""Copies what a worker prints to the log, with the worker's name in front."""

from __future__ import annotations

import os
import select
import time
from collections import deque
from typing import IO

from runway_serve.workers.log_lines import write_output

START, END = "\x1e", "\x1f"  # around the request id that a line may begin with: nobody prints them
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
    text, request = line.decode("utf-8", "replace"), None
    if text.startswith(START) and END in text:
        request, _, text = text[1:].partition(END)
    last_state = text.rstrip("\r").rpartition("\r")[2]  # of a progress bar, as on a terminal
    last_lines.append(last_state[:1000])
    write_output(name, last_state, request)
