"""The bars we set ourselves, held against the figures of a run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.rivals.contenders import OURS
from benchmarks.rivals.points import Point
from benchmarks.rivals.results import Results
from benchmarks.rivals.work import ACCELERATOR_CALL_S, ACCELERATOR_ITEM_S, MAX_BATCH_SIZE

CEILING_PER_S = MAX_BATCH_SIZE / (ACCELERATOR_CALL_S + ACCELERATOR_ITEM_S * MAX_BATCH_SIZE)
BEST = "the best rival"


@dataclass(frozen=True)
class Verdict:
    """A bar and what was reached."""

    bar: str
    reached: str
    passes: bool


@dataclass(frozen=True)
class _Bar:
    point: Point
    figure: str
    limit: float
    is_least: bool  # else the limit is the most that is allowed
    against: str = ""  # a rival's name or BEST: the figure is ours to theirs
    scale: float = 1.0
    unit: str = ""

    def verdict(self, results: Results) -> Verdict | None:
        """None where the run did not measure what the bar is about."""
        label = self.point.label
        rivals = results.rivals(label)
        if self.against:
            named = self.against if self.against != BEST else next(iter(rivals), "")
            reached = results.ratio(named, label, self.figure)
            title = f"{label}: {self.figure} to {self.against}'s"
            note = f" (to {named})" if self.against == BEST else ""
        else:
            reached = results.spread(OURS, label, self.figure)
            title, note = f"{label}: {self.figure}", ""
        if reached is None:
            return None
        value = reached.median * self.scale
        passes = value >= self.limit if self.is_least else value <= self.limit
        shown = f"{value:.3g} [{reached.low * self.scale:.3g}-{reached.high * self.scale:.3g}]"
        word = "at least" if self.is_least else "at most"
        return Verdict(f"{title} {word} {self.limit:g}{self.unit}", shown + note, passes)


_SHARE = {"scale": 1 / CEILING_PER_S, "unit": f" of the ceiling {CEILING_PER_S:.0f}/s"}
BARS = (
    _Bar(Point("W1", 1), "p50_ms", 1.0, False, "mosec"),
    _Bar(Point("W1", 1), "cpu_s_per_1000", 1.0, False, "mosec"),
    _Bar(Point("W1", 32), "requests_per_s", 4.0, True, "mosec"),
    _Bar(Point("W1b", 128), "requests_per_s", 2.0, True, "mosec"),
    _Bar(Point("W2", 1), "p50_ms", 11.2, False, unit=" ms"),
    _Bar(Point("W2", 32), "requests_per_s", 0.90, True, **_SHARE),
    _Bar(Point("W2", 128), "requests_per_s", 0.97, True, **_SHARE),
    _Bar(Point("W3", 8), "requests_per_s", 1.8, True, BEST),
    _Bar(Point("W3", 32), "requests_per_s", 1.8, True, BEST),
    _Bar(Point("W3s", 32), "requests_per_s", 2.0, True, BEST),
    _Bar(Point("W4", 32), "requests_per_s", 1.2, True, BEST),
)


def verdicts(results: Results) -> Iterator[Verdict]:
    """Of every bar whose figures the run has."""
    for bar in BARS:
        if verdict := bar.verdict(results):
            yield verdict
    # At 32 clients two devices get batches of 16, and 2 * 16 / 13.2 ms is only 1.24 times 32 / 16.4 ms.
    one, two = Point("W2", 128).label, Point("W5", 128).label
    yield from _quotient(results, "requests_per_s", two, one, 1.95, is_least=True)
    mixed, alone = Point("W7", has_images=True).label, Point("W7").label
    yield from _quotient(results, "p99_ms", mixed, alone, 3.0, is_least=False)


def _quotient(
    results: Results, figure: str, over: str, under: str, limit: float, *, is_least: bool
) -> Iterator[Verdict]:
    upper = results.spread(OURS, over, figure)
    lower = results.spread(OURS, under, figure)
    if upper and lower:
        value = upper.median / lower.median
        word = "at least" if is_least else "at most"
        spread = f" [{upper.low / lower.high:.3g}-{upper.high / lower.low:.3g}]"
        passes = value >= limit if is_least else value <= limit
        yield Verdict(
            f"ours, {figure}: {over} to {under} {word} {limit:g}", f"{value:.3g}{spread}", passes
        )


def as_markdown(results: Results) -> str:
    """A table of the bars; empty if the run had nothing for any of them."""
    rows = [f"| {v.bar} | {v.reached} | {'yes' if v.passes else 'NO'} |" for v in verdicts(results)]
    return "\n".join(["| bar | reached | passes |", "|---|---|---|", *rows, ""]) if rows else ""
