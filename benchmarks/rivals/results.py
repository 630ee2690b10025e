"""The figures of a run: kept one a round, told as medians with their spread, as JSON and as Markdown."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.rivals.contenders import OURS
from benchmarks.rivals.points import Point


@dataclass(frozen=True)
class Measurement:
    """One contender at one point in one round."""

    contender: str
    point: str
    turn: int
    requests_per_s: float
    p50_ms: float
    p90_ms: float
    p99_ms: float
    cpu_s_per_1000: float
    memory_mb: float

    def __str__(self) -> str:
        return (
            f"{self.contender} {self.requests_per_s:.0f}/s, p50 {self.p50_ms:.2f} ms, "
            f"p99 {self.p99_ms:.2f} ms, {self.cpu_s_per_1000:.3f} CPU s per 1000"
        )


@dataclass(frozen=True)
class Absence:
    """Why a rival has no figures: for a whole workload, or from a point on."""

    contender: str
    workload: str
    point: str
    reason: str


@dataclass(frozen=True)
class Spread:
    """Median, smallest and largest of the rounds."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Of at least one value."""
        return cls(statistics.median(values), min(values), max(values))

    def shown(self, digits: int) -> str:
        """`median [low-high]`; two more digits where they are small."""
        digits += 2 * (self.median < 10)
        return f"{self.median:.{digits}f} [{self.low:.{digits}f}-{self.high:.{digits}f}]"


def decisive(label: str) -> tuple[str, int]:
    """The figure that ranks a point, and 1 if the least is best, -1 if the most: a fixed rate is ranked by its p99."""
    return ("p99_ms", 1) if label.startswith("W7") else ("requests_per_s", -1)


@dataclass
class Results:
    """All that a run found out."""

    settings: dict[str, Any]
    measurements: list[Measurement] = field(default_factory=list)
    absences: list[Absence] = field(default_factory=list)
    idle_cpu: dict[str, float] = field(default_factory=dict)  # share of a core before the pause

    def is_absent(self, workload: str, contender: str) -> bool:
        """Whether the contender failed in this workload before."""
        return any((a.workload, a.contender) == (workload, contender) for a in self.absences)

    def values(self, contender: str, label: str, figure: str) -> list[float]:
        """One a round."""
        found = (m for m in self.measurements if (m.contender, m.point) == (contender, label))
        return [getattr(m, figure) for m in sorted(found, key=lambda m: m.turn)]

    def spread(self, contender: str, label: str, figure: str) -> Spread | None:
        """Over the rounds; None if it was not measured."""
        values = self.values(contender, label, figure)
        return Spread.of(values) if values else None

    def ratio(self, rival: str, label: str, figure: str) -> Spread | None:
        """Ours to theirs, taken in each round for itself."""
        ours = self.values(OURS, label, figure)
        theirs = self.values(rival, label, figure)
        pairs = [ours / other for ours, other in zip(ours, theirs, strict=False) if other]
        return Spread.of(pairs) if pairs else None

    def rivals(self, label: str) -> list[str]:
        """Who was measured there besides us, the best first."""
        names = {m.contender for m in self.measurements if m.point == label} - {OURS}
        figure, sign = decisive(label)
        medians = {n: sign * statistics.median(self.values(n, label, figure)) for n in names}
        return sorted(names, key=lambda name: medians[name])

    def line(self, point: Point) -> str:
        """The state of a point in one line."""
        figure, _ = decisive(point.label)
        ours = self._cell(OURS, point.label, figure, 1)
        shown = f"{point.label}: {figure} ours {ours or 'missing'}"
        for name in self.rivals(point.label)[:1]:
            ratio = self.ratio(name, point.label, figure)
            theirs = self._cell(name, point.label, figure, 1)
            shown += f", best rival {name} {theirs}"
            shown += f", ours to theirs {ratio.shown(2)}" if ratio else ""
        return shown

    def as_json(self) -> str:
        """Everything, for programs."""
        return json.dumps(
            {
                "settings": self.settings,
                "measurements": [asdict(m) for m in self.measurements],
                "not_run": [asdict(a) for a in self.absences],
                "idle_cpu_share_before_pause": self.idle_cpu,
            },
            indent=1,
        )

    def as_markdown(self, points: Sequence[Point]) -> str:
        """Tables for people: one a point, then who did not run and why."""
        parts = [
            f"Median [smallest-largest] of {self.settings['rounds']} rounds of "
            f"{self.settings['seconds']:g} s; {self.settings['machine']}; {self.settings['date']}. "
            "Ratios are ours to theirs, of the same round: above 1 is good for requests/s, below 1 for p99_ms. "
            "W6 takes at least 5 s, W7 twice the time."
        ]
        parts += [table for point in points if (table := self._table(point.label))]
        if self.absences:
            rows = [
                f"| {a.contender} | {a.point} | not run: {a.reason.replace('|', '/')} |"
                for a in self.absences
            ]
            parts.append("\n".join(["| server | from | |", "|---|---|---|", *rows]))
        return "\n\n".join(parts) + "\n"

    def _table(self, label: str) -> str:
        if not self.spread(OURS, label, "requests_per_s"):
            return ""
        figure, _ = decisive(label)
        rows = [
            f"### {label}\n",
            f"| server | requests/s | ours : theirs, {figure} | p50 ms | p90 ms | p99 ms | CPU s per 1000 | MB |",
            "|---|---|---|---|---|---|---|---|",
        ]
        for name in [OURS, *self.rivals(label)]:
            ratio = self.ratio(name, label, figure) if name != OURS else None
            cells = [name, self._cell(name, label, "requests_per_s", 0)]
            cells.append(ratio.shown(2) if ratio else "")
            cells += [self._cell(name, label, f"{p}_ms", 2) for p in ("p50", "p90", "p99")]
            cells.append(self._cell(name, label, "cpu_s_per_1000", 3))
            memory = self.spread(name, label, "memory_mb")
            cells.append(f"{memory.median:.0f}" if memory else "")
            rows.append(f"| {' | '.join(cells)} |")
        return "\n".join(rows)

    def _cell(self, name: str, label: str, figure: str, digits: int) -> str:
        spread = self.spread(name, label, figure)
        return spread.shown(digits) if spread else ""
