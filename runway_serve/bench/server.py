"""What the server says of itself: its manifest, one answer before the load, its batch sizes, its processes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import orjson
from prometheus_client.parser import text_string_to_metric_families

from runway_serve.bench.connection import ERROR_STATUS, error_text
from runway_serve.bench.listener import listening_pid
from runway_serve.bench.target import BenchError, Target

BATCH_SIZE = "runway_batch_size"
GOOD = 200


@dataclass(frozen=True)
class BatchSizes:
    """A histogram of batch sizes: calls are in batches, `buckets` counts batches by their largest size."""

    calls: float = 0.0
    batches: float = 0.0
    buckets: dict[float, float] = field(default_factory=dict)

    @property
    def mean(self) -> float:
        """Calls a batch."""
        return self.calls / self.batches

    def since(self, earlier: BatchSizes) -> BatchSizes | None:
        """What was added since; None if nothing was, or the counts began anew."""
        if self.batches <= earlier.batches or self.calls < earlier.calls:
            return None
        buckets = {
            bound: count - earlier.buckets.get(bound, 0.0) for bound, count in self.buckets.items()
        }
        return BatchSizes(self.calls - earlier.calls, self.batches - earlier.batches, buckets)


def check(target: Target) -> str | None:
    """The server's own name, after its command answered once; None if it gives no name.

    Raises:
        BenchError: no server, no such command, or the command refuses the body.
    """
    manifest = target.get("/")
    names = command_names(manifest.body) if manifest.status == GOOD else None
    if names is not None and target.command not in names:
        raise BenchError(
            f"{target.url} has no command {target.command!r}; "
            f"it has: {', '.join(names) if names else 'none'}"
        )
    answer = target.post()
    if answer.status >= ERROR_STATUS:
        said = error_text(answer.body)
        raise BenchError(f"POST {target.path} is answered with {answer.status}: {said}")
    return manifest.headers.get("server")


def command_names(manifest: bytes) -> list[str] | None:
    """Commands of a Runway manifest; None if it is none: other servers can be measured too."""
    try:
        return [command["name"] for command in orjson.loads(manifest)["commands"]]
    except (ValueError, KeyError, TypeError):
        return None


def server_pid(target: Target) -> int | None:
    """The process to ask for CPU time; None if the server is elsewhere or cannot be told."""
    return listening_pid(target.port) if target.is_loopback else None


def batch_sizes(target: Target) -> BatchSizes | None:
    """The command's histogram of batch sizes until now; None if the server has none."""
    answer = target.get("/metrics")
    if answer.status != GOOD:
        return None
    try:
        families = list(text_string_to_metric_families(answer.body.decode("utf8", "replace")))
    except ValueError:
        return None  # not in Prometheus' form: another server's
    found = [family for family in families if family.name == BATCH_SIZE]
    if not found:
        return None
    samples = [s for s in found[0].samples if s.labels.get("command") in (None, target.command)]
    return BatchSizes(
        calls=_total(samples, "_sum"),
        batches=_total(samples, "_count"),
        buckets=_single_buckets(samples),
    )


def _total(samples: list[Any], suffix: str) -> float:
    return float(sum(sample.value for sample in samples if sample.name == BATCH_SIZE + suffix))


def _single_buckets(samples: list[Any]) -> dict[float, float]:
    """Counts by upper bound, each without those of the smaller bounds."""
    cumulative: dict[float, float] = {}
    for sample in samples:
        if sample.name == BATCH_SIZE + "_bucket":
            bound = float(sample.labels["le"])
            cumulative[bound] = cumulative.get(bound, 0.0) + sample.value
    counts, below = {}, 0.0
    for bound in sorted(cumulative):
        counts[bound] = cumulative[bound] - below
        below = cumulative[bound]
    return counts


def bound_name(bound: float) -> str:
    """A bucket's bound as JSON has it."""
    return "more" if math.isinf(bound) else f"{bound:g}"
