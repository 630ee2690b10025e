"""Whether the answers of a batch are sent while the next one runs: found by trying both, for each batched command.

A second Python thread is a gain where the model waits for its device, and may be a loss where it holds the interpreter
or the cores itself. No property of a model tells which; the time from batch to batch does. Small batches may gain
nothing by what large ones need, so both are tried again when the load has changed.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from statistics import median
from time import perf_counter

SHORTEST_S = 0.002  # a run that is looked at; handing over costs more than shorter ones would save
BLOCK = 10  # batches that are tried one way before the other
BLOCKS = 4
HELD = 2000  # batches until both are tried again,
HELD_WITHOUT = 400  # if the courier lost, as a disturbed trial may cost more than many do,
SIZE_CHANGE = 1.5  # or until batches are larger or smaller than they were by this
SIZE_NEWS = 0.1  # weight of the newest batch in how large they are
GAIN = 0.99  # what the cost of a call must come down to
LATENESS = 0.25  # what a second until the answers leave counts, to one until the next batch begins


@dataclass
class Ran:
    """A batch that took at least `SHORTEST_S` and had a successor waiting as it ended; times by `perf_counter`.

    Args:
        command: the batch's command.
        size: how many calls it held.
        began: when the function was called.
        ended: when it returned.
        delivered: when its answers were sent; None while they are with the courier.
    """

    command: str
    size: int
    began: float
    ended: float
    delivered: float | None = None

    def __post_init__(self) -> None:
        self.is_overlapped = self.delivered is None
        self.next_began: float | None = None

    @property
    def cost_s(self) -> float | None:
        """Seconds from start to start, and a part of those from end to answers, a call; None if they are not known."""
        if self.next_began is None or self.delivered is None:
            return None
        late_s = self.delivered - self.ended
        return (self.next_began - self.began + LATENESS * late_s) / max(1, self.size)


class Overlap:
    """Belongs to the thread that runs the model; `is_on` False never leaves anything to the courier."""

    def __init__(self, is_on: bool = True) -> None:
        self._is_on = is_on
        self._trials: dict[str, _Trial] = defaultdict(_Trial)
        self._last: Ran | None = None

    def is_wanted(self, command: str) -> bool:
        """Whether the answers of a batch should be left to the courier."""
        return self._is_on and self._trials[command].is_overlapped

    def begin(self) -> float:
        """A batch begins; when that is."""
        now = perf_counter()
        if self._last is not None:
            self._last.next_began = now
        return now

    def note_delivered(self, at: float) -> None:
        """The courier sent the answers of the last batch."""
        if self._last is not None:
            self._last.delivered = at

    def note(self, ran: Ran | None) -> None:
        """What ended after `begin`; None if it was short or no other batch was waiting, which tells nothing."""
        last, self._last = self._last, ran
        if last is not None and (cost_s := last.cost_s) is not None:
            self._trials[last.command].note(last.is_overlapped, cost_s, last.size)


class _Trial:
    """Alternates blocks of both ways, and then keeps to the better for a time."""

    def __init__(self) -> None:
        self.is_overlapped = False
        self._size = self._judged_size = 0.0  # of a batch, now and when it was last decided
        self._begin()

    def _begin(self) -> None:
        self._costs: dict[bool, list[float]] = {False: [], True: []}
        self._block = self._seen = self._held = 0

    def note(self, was_overlapped: bool, cost_s: float, size: int) -> None:
        self._size += SIZE_NEWS * (max(1, size) - self._size)
        if self._held:
            self._held -= 1
            is_alike = 1 / SIZE_CHANGE < self._size / self._judged_size < SIZE_CHANGE
            if not (self._held and is_alike):
                self._begin()
            return
        if was_overlapped != self.is_overlapped:
            return
        self._seen += 1
        if self._seen > 1:  # the first of a block still has to do with the one before
            self._costs[was_overlapped].append(cost_s)
        if self._seen <= BLOCK:
            return
        self._seen = 0
        self._block += 1
        self.is_overlapped = not self.is_overlapped
        if self._block == BLOCKS:
            without, beside = median(self._costs[False]), median(self._costs[True])
            self.is_overlapped = beside < GAIN * without
            self._held = HELD if self.is_overlapped else HELD_WITHOUT
            self._judged_size = self._size
