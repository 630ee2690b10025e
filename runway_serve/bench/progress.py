"""How far the runs are: a bar that is drawn again and again on a terminal, else nothing until a run ended."""

from __future__ import annotations

import sys
import time
from typing import TextIO

from runway_serve.bench.load import Load
from runway_serve.bench.measurement import Measurement
from runway_serve.bench.report import line

WIDTH = 24
CLEAR = "\r\x1b[K"


class Progress:
    """Progress of a sequence of runs on `stream`."""

    def __init__(self, stream: TextIO = sys.stderr) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty()
        self.name = ""

    def tick(self, load: Load, phase: str) -> None:
        """The present run has come this far."""
        if not self._is_terminal:
            return
        tally = load.tally
        planned_s = load.end_at - load.started_at
        gone_s = min(time.monotonic() - load.started_at, planned_s)
        filled = round(WIDTH * gone_s / planned_s)
        middle_s = tally.latencies.percentile_s(0.5)
        shown = "no answer yet" if middle_s is None else f"p50 {middle_s * 1e3:.2f} ms"
        self._stream.write(
            f"{CLEAR}{self.name} {phase} [{'#' * filled}{'.' * (WIDTH - filled)}] "
            f"{gone_s:.1f}/{planned_s:g} s  {tally.good / max(gone_s, 1e-3):,.0f}/s  {shown}  {tally.failed} errors"
        )
        self._stream.flush()

    def done(self, measurement: Measurement) -> None:
        """A run ended."""
        self._stream.write(f"{CLEAR if self._is_terminal else ''}{line(measurement)}\n")
        self._stream.flush()

    def clear(self) -> None:
        """Take the bar away."""
        if self._is_terminal:
            self._stream.write(CLEAR)
            self._stream.flush()
