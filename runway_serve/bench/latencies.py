"""`Latencies`: any number of durations in bounded memory, percentiles exact to a tenth of a percent."""

from __future__ import annotations

import math
from array import array

import numpy as np

SMALLEST_S = 1e-6
LARGEST_S = 1e4
WIDTH = math.log(1.001)  # each bucket ends 0.1 % after it starts
BUCKETS = math.ceil(math.log(LARGEST_S / SMALLEST_S) / WIDTH)


class Latencies:
    """Durations in seconds.

    `append` is the `append` of an array, the cheapest there is; whoever appends calls `flush` every now and then, which
    sorts what came into buckets.
    """

    def __init__(self) -> None:
        self._recent = array("d")
        self.append = self._recent.append
        self._counts = np.zeros(BUCKETS, np.int64)
        self._count = 0
        self._sum_s = 0.0
        self._max_s = 0.0

    def flush(self) -> None:
        """Move what was appended into the buckets."""
        if not self._recent:
            return
        values = np.array(self._recent)
        del self._recent[:]
        at = np.log(np.maximum(values, SMALLEST_S) / SMALLEST_S) / WIDTH
        self._counts += np.bincount(np.minimum(at.astype(np.int64), BUCKETS - 1), minlength=BUCKETS)
        self._count += len(values)
        self._sum_s += float(values.sum())
        self._max_s = max(self._max_s, float(values.max()))

    @property
    def count(self) -> int:
        """How many there are."""
        return self._count + len(self._recent)

    @property
    def sum_s(self) -> float:
        """All of them together."""
        self.flush()
        return self._sum_s

    @property
    def max_s(self) -> float:
        """The longest, exactly; 0 if there is none."""
        self.flush()
        return self._max_s

    def percentile_s(self, share: float) -> float | None:
        """The duration that `share` (0 to 1) of all do not exceed, within 0.1 %; None if there is none."""
        self.flush()
        if not self._count:
            return None
        rank = max(1, math.ceil(share * self._count))
        bucket = int(np.searchsorted(np.cumsum(self._counts), rank))
        return min(SMALLEST_S * math.exp((bucket + 0.5) * WIDTH), self._max_s)

    def summary_ms(self) -> dict[str, float] | None:
        """Mean, percentiles and maximum in milliseconds; None if there is none."""
        if not self.count:
            return None
        shares = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99_9": 0.999}
        values = {name: self.percentile_s(share) or 0.0 for name, share in shares.items()}
        values = {"mean": self.sum_s / self.count, **values, "max": self.max_s}
        return {name: round(value * 1e3, 4) for name, value in values.items()}
