"""`Scrape`: one answer of `GET /metrics`, and what changed from one to the next."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families

from runway_serve.bench.target import BenchError, Target

OK, UNAUTHORIZED = 200, 401
OURS = "runway_"
Labels = frozenset[tuple[str, str]]


class TopError(Exception):
    """There is nothing to show; the message tells the user what to do."""


@dataclass(frozen=True)
class Scrape:
    """The samples of one moment, by name and labels; `taken_s` is on the monotonic clock."""

    taken_s: float
    samples: Mapping[str, Mapping[Labels, float]] = field(default_factory=dict)

    @classmethod
    def of(cls, text: str, taken_s: float) -> Scrape:
        """The samples in Prometheus text.

        Raises:
            ValueError: it is no such text.
        """
        samples: dict[str, dict[Labels, float]] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                labels = frozenset(sample.labels.items())
                samples.setdefault(sample.name, {})[labels] = sample.value
        return cls(taken_s, samples)

    def values(self, name: str, **labels: str) -> Iterator[tuple[dict[str, str], float]]:
        """Labels and value of each sample of that name which has these labels."""
        wanted = labels.items()
        for found, value in self.samples.get(name, {}).items():
            if found >= wanted:
                yield dict(found), value

    def value(self, name: str, **labels: str) -> float | None:
        """The one sample of that name with these labels; None if there is none."""
        return next((value for _, value in self.values(name, **labels)), None)


@dataclass(frozen=True)
class Change:
    """What was counted between two scrapes of a server, or since it began if there is one scrape only."""

    latest: Scrape
    before: Scrape | None = None

    @property
    def seconds(self) -> float | None:
        """Time between the scrapes; None if there is one only."""
        return None if self.before is None else self.latest.taken_s - self.before.taken_s

    def counted(self, name: str, **labels: str) -> float:
        """Growth of a counter; one that fell began again at 0, as after a restart of the front."""
        now = self.latest.value(name, **labels) or 0.0
        then = (self.before.value(name, **labels) or 0.0) if self.before else 0.0
        return now - then if now >= then else now

    def per_s(self, name: str, **labels: str) -> float | None:
        """Growth of a counter a second; None if there is one scrape only."""
        seconds = self.seconds
        return None if not seconds else self.counted(name, **labels) / seconds

    def quantiles(self, name: str, shares: Iterable[float], **labels: str) -> list[float | None]:
        """Quantiles of what a histogram counted in between; None where it counted nothing."""
        counts = sorted(
            (float(found["le"]), self.counted(f"{name}_bucket", **found))
            for found, _ in self.latest.values(f"{name}_bucket", **labels)
        )
        return [quantile(counts, share) for share in shares]

    def mean(self, name: str, **labels: str) -> float | None:
        """Mean of what a histogram counted in between; None if it counted nothing."""
        count = self.counted(f"{name}_count", **labels)
        return self.counted(f"{name}_sum", **labels) / count if count else None


def quantile(counts: list[tuple[float, float]], share: float) -> float | None:
    """Value below which that share of a histogram lies, evenly spread within its bucket.

    Args:
        counts: upper bound and number of all values up to it, in order; the last bound is infinite.
        share: 0 to 1.

    Returns:
        None without values; the last finite bound if it lies beyond that.
    """
    total = counts[-1][1] if counts else 0
    if not total:
        return None
    lower, below = 0.0, 0.0
    for bound, count in counts:
        if count >= share * total and count > below:
            if math.isinf(bound):
                return lower
            return lower + (bound - lower) * (share * total - below) / (count - below)
        lower, below = bound, count
    return lower


def scrape(server: Target) -> Scrape:
    """The server's metrics now.

    Raises:
        TopError: nothing answers there, or something that is not `runway-serve`.
    """
    try:
        answer = server.get("/metrics")
    except BenchError as error:
        raise TopError(str(error)) from error
    if answer.status == UNAUTHORIZED:
        raise TopError(f"{server.url} asks for a token that it knows: --token or RW_TOKEN")
    try:
        found = Scrape.of(answer.body.decode("utf8"), time.monotonic())
    except ValueError:
        found = Scrape(0.0)
    if answer.status != OK or not any(name.startswith(OURS) for name in found.samples):
        raise TopError(
            f"{server.url}/metrics answered {answer.status} without metrics of runway-serve: is it "
            "another server, or a script that runs without runway-serve?"
        )
    return found
