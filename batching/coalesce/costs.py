"""What a network costs an item, alone and stacked, and the batch size that pays. Plain numbers; no clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from statistics import median

SAMPLES = 3  # of a batch size before it is judged
KEPT = 7  # the median of so many late samples: one hiccup of the machine must not decide
WORTH = 0.95  # stacked has to be cheaper by this much
MEASURED_EVERY = 16  # runs of a size that is known well; measuring waits for the device


class Costs:
    """Seconds an item of one network and signature, by batch size.

    Sizes share a class with others of the same power of two; class 0 is one item alone.
    """

    def __init__(self) -> None:
        self._samples: dict[int, deque[float]] = {}
        self._runs: dict[int, int] = {}

    def note(self, size: int, run_s: float) -> None:
        """`size` items at once took `run_s` seconds; size 1 is an item alone."""
        kept = self._samples.setdefault(_class_of(size), deque(maxlen=KEPT))
        kept.append(run_s / size)

    def is_due(self, size: int) -> bool:
        """Whether a run of `size` items should be measured."""
        index = _class_of(size)
        runs = self._runs[index] = self._runs.get(index, 0) + 1
        return not self._is_known(index) or runs % MEASURED_EVERY == 0

    def item_s(self, size: int) -> float | None:
        """Median seconds an item, None before the first sample."""
        kept = self._samples.get(_class_of(size))
        return median(kept) if kept else None

    def known(self) -> dict[int, float]:
        """Median seconds an item by batch size, of the sizes that were measured often enough, and of one alone."""
        return {
            1 << index: median(kept)
            for index, kept in sorted(self._samples.items())
            if kept and (index == 0 or self._is_known(index))
        }

    def best_size(self, size: int) -> int:
        """How many of `size` items to run at once; 1: each alone."""
        top = _class_of(size)
        alone_s = self.item_s(1)
        if alone_s is None or not self._is_known(top):
            return size
        best = self._best(range(1, top + 1), alone_s)
        lowest = min(index for index in range(1, top + 1) if self._is_known(index))
        if lowest > 1 and best in (0, lowest):  # a smaller batch may be better still
            return 1 << (lowest - 1)
        return size if best == top else 1 << best

    def forget_stacked(self) -> None:
        """Measure the batch sizes anew."""
        self._samples = {index: kept for index, kept in self._samples.items() if index == 0}

    def _is_known(self, index: int) -> bool:
        return len(self._samples.get(index, ())) >= SAMPLES

    def _best(self, classes: Iterable[int], alone_s: float) -> int:
        best, best_s = 0, alone_s * WORTH
        for index in classes:
            if self._is_known(index) and median(self._samples[index]) < best_s:
                best, best_s = index, median(self._samples[index])
        return best


def _class_of(size: int) -> int:
    return size.bit_length() - 1
