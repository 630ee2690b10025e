"""`Tally`: what a run sent and what came back."""

from __future__ import annotations

from dataclasses import dataclass, field

from runway_serve.bench.latencies import Latencies

FIRST_TEXT_LENGTH = 300


@dataclass
class Failure:
    """One kind of error: how often, and what the first one said."""

    count: int = 0
    first: str = ""


@dataclass
class Tally:
    """Counts of one run; the loop that drives it is the only writer."""

    latencies: Latencies = field(default_factory=Latencies)  # of good answers
    lags: Latencies = field(default_factory=Latencies)  # intended until actual send, open loop
    failures: dict[str, Failure] = field(default_factory=dict)
    sent: int = 0
    late: int = 0  # good answers after the end of the sending time
    queued: int = 0  # sends that found no free connection and none could be added, open loop
    reconnects: int = 0
    received_bytes: int = 0
    elapsed_s: float = 0.0

    def fail(self, kind: str, text: str = "") -> None:
        """Count an error."""
        failure = self.failures.setdefault(kind, Failure(first=text[:FIRST_TEXT_LENGTH]))
        failure.count += 1

    @property
    def good(self) -> int:
        """Answers with a status below 400."""
        return self.latencies.count

    @property
    def answered(self) -> int:
        """Answers of the server, errors included."""
        return self.good + sum(f.count for k, f in self.failures.items() if k.startswith("HTTP"))

    @property
    def failed(self) -> int:
        """Errors of all kinds."""
        return sum(failure.count for failure in self.failures.values())

    @property
    def rate_per_s(self) -> float:
        """Good answers a second within the sending time."""
        return (self.good - self.late) / self.elapsed_s if self.elapsed_s else 0.0
