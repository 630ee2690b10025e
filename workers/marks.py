"""Which request a worker's output belongs to: a mark before each line that Python prints while a call runs.

The worker writes the marks, `runway_serve.workers.output` takes them off again. Native code prints without them.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from typing import TextIO

from runway.invocation import Invocation
from runway_serve.workers.output import END, START


class OutputMarks:
    """The id that lines carry now, "" for none; set by the thread that runs the model."""

    def __init__(self) -> None:
        self.mark = ""

    def begin(self, calls: Sequence[Invocation]) -> None:
        """These calls run from now on; a batch is known by its first."""
        first = next((call.request_id for call in calls if call.request_id), "")
        others = f"+{len(calls) - 1}" if len(calls) > 1 else ""
        self.mark = f"{START}{first}{others}{END}" if first else ""

    def end(self) -> None:
        """No call runs."""
        self.mark = ""

    def read(self) -> str:
        """The mark, for who takes turns between calls."""
        return self.mark

    def write(self, mark: str) -> None:
        """Put a mark back that `read` gave."""
        self.mark = mark

    def install(self) -> None:
        """Mark what this process prints from now on."""
        sys.stdout = sys.__stdout__ = _marked(sys.stdout, self)  # type: ignore[misc]
        sys.stderr = sys.__stderr__ = _marked(sys.stderr, self)  # type: ignore[misc]


class MarkedStream(io.TextIOWrapper):
    """A standard stream that begins lines with the mark of the moment."""

    marks: OutputMarks
    is_at_line_start = True

    def write(self, text: str) -> int:
        """Write the text; the count leaves the marks out."""
        mark = self.marks.mark
        if mark and text:
            body, end = (text[:-1], "\n") if text.endswith("\n") else (text, "")
            start = mark if self.is_at_line_start else ""
            super().write(start + body.replace("\n", "\n" + mark) + end)
        else:
            super().write(text)
        if text:
            self.is_at_line_start = text.endswith("\n")
        return len(text)


def _marked(stream: TextIO, marks: OutputMarks) -> MarkedStream:
    assert isinstance(stream, io.TextIOWrapper)
    marked = MarkedStream(
        stream.detach(), stream.encoding, stream.errors, line_buffering=True, write_through=True
    )
    marked.marks = marks
    return marked
