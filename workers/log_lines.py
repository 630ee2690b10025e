"""Log lines of supervisor, front and workers' output: text, or one JSON object a line (`--log-format`).

The choice travels to child processes in the environment.
"""

from __future__ import annotations

import io
import json
import logging
import os
import sys
import time
from typing import Any

VARIABLE = "RW_LOG_FORMAT"
TEXT = "%(asctime)s %(levelname)s %(message)s"


class JsonFormatter(logging.Formatter):
    """A record as a JSON object: time, level, process, message, and the traceback if there is one."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        text = record.getMessage()
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        request = getattr(record, "request_id", None)
        return json_line(record.levelname, self._process, text, record.created, request)


class TextFormatter(logging.Formatter):
    """A record as text; what is about one request has its id before it, as workers' lines do."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, or several with a traceback."""
        request = getattr(record, "request_id", None)
        if request is not None:
            record = logging.makeLogRecord(
                {**record.__dict__, "msg": f"{request} | {record.getMessage()}", "args": None}
            )
        return super().format(record)


class JsonLines(io.TextIOBase):
    """What is printed, as JSON lines: for what a process prints without the logging module."""

    def __init__(self, process: str, sink: Any) -> None:
        super().__init__()
        self._process = process
        self._sink = sink
        self._pending = ""

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, text: str) -> int:
        """Write the lines that are whole."""
        *lines, self._pending = (self._pending + text).split("\n")
        for line in lines:
            self._sink.write(json_line("ERROR", self._process, line, time.time()) + "\n")
        self._sink.flush()
        return len(text)


def is_json() -> bool:
    """Whether JSON lines are asked for."""
    return os.environ.get(VARIABLE) == "json"


def configure(process: str) -> None:
    """Set up the logging of this process, which is called `process` in JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(process) if is_json() else TextFormatter(TEXT))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    if is_json():
        sys.stderr = JsonLines(process, sys.stderr)


def json_line(
    level: str, process: str, message: str, moment: float, request: str | None = None
) -> str:
    """A log line as JSON; `moment` in seconds since 1970."""
    whole_s = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))
    line = {
        "time": f"{whole_s}.{int(moment % 1 * 1000):03d}Z",
        "level": level,
        "process": process,
        "message": message,
    }
    return json.dumps(line if request is None else {**line, "request_id": request})


def write_output(name: str, text: str, request: str | None) -> None:
    """Write a line of a worker's output to the log."""
    stream = sys.__stderr__
    assert stream is not None
    if is_json():
        line = json_line("INFO", name, text, time.time(), request)
    else:
        line = f"{name} | {text}" if request is None else f"{name} {request} | {text}"
    stream.write(line + "\n")
    stream.flush()
