"""What a batch takes: so much in any case, and so much an item; learned from the batches that ran."""

from __future__ import annotations

FORGET = 0.97  # of what the earlier batches say, with each further one
SPREAD = 0.1  # of the mean size; sizes closer together than this do not tell what an item costs


class BatchCost:
    """A line through the batches of late, by least squares.

    While their sizes are all alike there is no telling the two costs apart: then all of it counts as fixed, or, if
    they once differed, an item costs what it did then.
    """

    __slots__ = ("_first_s", "_item_s", "_n", "_nn", "_nt", "_t", "_weight")

    def __init__(self) -> None:
        self._first_s: float | None = None
        self._weight = self._n = self._nn = self._t = self._nt = 0.0
        self._item_s = 0.0

    def note(self, size: int, run_s: float) -> None:
        """A batch of `size` ran for `run_s` seconds. The very first is soon forgotten: it may make things ready."""
        if self._first_s is None:
            self._first_s = run_s
            return
        self._weight = FORGET * self._weight + 1
        self._n = FORGET * self._n + size
        self._nn = FORGET * self._nn + size * size
        self._t = FORGET * self._t + run_s
        self._nt = FORGET * self._nt + size * run_s
        if self.is_known:
            mean = self._n / self._weight
            slope = (self._nt - mean * self._t) / (self._nn - mean * self._n)
            self._item_s = min(max(0.0, slope), self._t / self._n)

    @property
    def is_known(self) -> bool:
        """Whether the sizes of late differ enough to tell the two costs apart."""
        if not self._weight:
            return False
        mean = self._n / self._weight
        return self._nn / self._weight - mean * mean > (SPREAD * mean) ** 2

    @property
    def fixed_s(self) -> float:
        """Seconds that a batch takes however small it is; 0 before any ran."""
        if not self._weight:
            return self._first_s or 0.0
        return max(0.0, self._t - self._item_s * self._n) / self._weight

    def expected_s(self, size: int) -> float:
        """Seconds that a batch of `size` should take."""
        return self.fixed_s + self._item_s * size
