"""One network with one signature: whether its calls may be stacked, whether that pays, and the stacked run itself."""

from __future__ import annotations

import time
import weakref
from collections.abc import Sequence
from typing import Any

from runway_serve.batching.coalesce.adapter import Adapter
from runway_serve.batching.coalesce.comparison import (
    Answer,
    Check,
    attempt,
    join_inputs,
    split_output,
)
from runway_serve.batching.coalesce.costs import Costs
from runway_serve.batching.coalesce.grouping import Layout, NetworkCall, layouts
from runway_serve.batching.coalesce.statistics import Kind, Statistics

FIRST_CHECK = 4  # items; a check runs each of them twice and more
TRIES = 3  # of a check that says nothing: a network may fill its caches first
CHECK_EVERY_MIN, CHECK_EVERY_MAX = (
    64,
    4096,
)  # stacked runs between two checks; doubled by each that agrees
PAUSE_MIN, PAUSE_MAX = 500, 16_000  # calls for which stacking that does not pay is left alone


class Case:
    """Decides and runs. Not checked at first; then proved, or refused for good with a `reason`.

    Args:
        adapter: the framework.
        call: the first call of this kind.
        name: how messages call the network.
        statistics: counts what happens here.
    """

    def __init__(
        self, adapter: Adapter, call: NetworkCall, name: str, statistics: Statistics
    ) -> None:
        self.name = name
        self.signature = _signature(adapter, call.leaves)
        self.reason: str | None = None
        self.costs = Costs()
        self._adapter = adapter
        self._statistics = statistics
        self._network = weakref.ref(call.network)
        self._layouts = layouts(adapter, call.leaves)
        self._outputs: Layout | None = None
        self._checked_sizes: set[int] = set()
        self._tries = 0
        self._largest = 1 << 30
        self._runs_to_check = self._check_every = CHECK_EVERY_MIN
        self._calls_to_skip = 0
        self._pause = PAUSE_MIN

    @property
    def is_proved(self) -> bool:
        """Whether stacked results agreed with those of the items alone, and did so ever since."""
        return self._outputs is not None and self.reason is None

    @property
    def pays(self) -> bool:
        """Whether stacking is worth it, as far as is known."""
        return self.reason is None and not self._calls_to_skip

    def is_of(self, network: Any) -> bool:
        """Whether it is about this very object: an address may be used again."""
        return self._network() is network

    def is_open(self) -> bool:
        """Whether a call should wait for others; asked once for each call."""
        if self.reason is not None:
            return False
        if self._calls_to_skip:
            self._calls_to_skip -= 1
            if not self._calls_to_skip:
                self.costs.forget_stacked()
            return False
        return True

    def check_soon(self) -> None:
        """Run the next batch both ways."""
        self._runs_to_check = 0

    def reconsider(self) -> None:
        """Try anew what did not pay."""
        self._calls_to_skip = 0
        self.costs.forget_stacked()

    def size_for(self, waiting: int) -> int:
        """How many of the `waiting` calls to run at once; 1: each alone."""
        if self.reason is not None or self._calls_to_skip or waiting < 2:
            return 1
        network = self._network()
        objection = "it is gone" if network is None else self._adapter.objection(network)
        if objection is not None:
            self._refuse("unfit_network", objection)
            return 1
        if not self.is_proved:
            return min(waiting, FIRST_CHECK, self._largest)
        size = self.costs.best_size(min(waiting, self._largest))
        if size == 1:
            self._calls_to_skip = self._pause
            self._pause = min(2 * self._pause, PAUSE_MAX)
            self._statistics.fell_back(
                self.name, "not_worth_it", "stacking does not pay", is_final=False
            )
        return size

    def check_for(self, calls: Sequence[NetworkCall]) -> Check | None:
        """A check that these calls have to go through, None if they can simply run stacked."""
        size_class = len(calls).bit_length()
        self._runs_to_check -= 1
        if self.is_proved and size_class in self._checked_sizes and self._runs_to_check > 0:
            return None
        return Check(self._adapter, calls, self._layouts[0])

    def leave(self, calls: int) -> None:
        """So many waiting calls run by themselves."""
        self._statistics.ran_alone(calls)

    def learn(self, check: Check, size: int) -> None:
        """Take the outcome of a check of `size` calls."""
        was_proved = self.is_proved
        self._statistics.checked(self.name, size, check.objection)
        for run_s in check.alone_s[1:]:  # the first one warms up
            self.costs.note(1, run_s)
        if check.objection is None:
            self._agree(size, check.outputs)
        elif check.ran_out_of_memory:
            self._shrink(size)
        elif check.is_passing:
            self._tries += 1
            if self._tries >= TRIES:
                self._refuse("failed_check", check.objection)
        elif len(self._layouts) > 1 and not was_proved:
            del self._layouts[0]
        else:
            self._refuse("failed_check", check.objection)

    def _agree(self, size: int, outputs: Layout) -> None:
        if self._outputs is not None and self._outputs != outputs:
            self._refuse("failed_check", "its output has another structure than before")
            return
        self._outputs = outputs
        self._tries = 0
        self._checked_sizes.add(size.bit_length())
        if self._runs_to_check <= 0:
            self._check_every = min(2 * self._check_every, CHECK_EVERY_MAX)
            self._runs_to_check = self._check_every

    def stacked(self, calls: Sequence[NetworkCall]) -> list[Answer]:
        """What the network gives each call.

        It runs once for all; in halves if memory does not suffice, and for each alone if anything else is wrong.
        """
        assert self._outputs is not None
        if len(calls) == 1:
            return [attempt(calls[0].alone)]
        is_measured = self.costs.is_due(len(calls))
        try:
            if is_measured:
                self._adapter.wait()
            began = time.perf_counter()
            inputs = join_inputs(self._adapter, calls, self._layouts[0])
            output = calls[0].with_leaves(inputs)
            values = split_output(self._adapter, output, len(calls), self._outputs)
            if is_measured:
                self._adapter.wait()
                self.costs.note(len(calls), time.perf_counter() - began)
        except Exception as error:
            return self._recovered(calls, error)
        self._statistics.stacked(len(calls))
        return [Answer(value) for value in values]

    def _recovered(self, calls: Sequence[NetworkCall], error: Exception) -> list[Answer]:
        if self._adapter.is_out_of_memory(error):
            error.__traceback__ = None  # its frames hold the memory that is needed now
            self._shrink(len(calls))
            half = len(calls) // 2
            parts = (calls[:half], calls[half:])
            return [answer for part in parts for answer in self.stacked(part)]
        answers = [attempt(call.alone) for call in calls]
        if all(answer.error is None for answer in answers):
            self._refuse("failed_run", f"it cannot run {len(calls)} items at once: {error!r:.200}")
        return answers

    def _shrink(self, size: int) -> None:
        self._largest = size // 2
        if self._largest == 1:
            self._refuse("out_of_memory", "two items do not fit into memory")
        else:
            reason = f"{size} items do not fit into memory"
            self._statistics.fell_back(self.name, "out_of_memory", reason, is_final=False)

    def _refuse(self, kind: Kind, reason: str) -> None:
        self.reason = reason
        self._statistics.fell_back(self.name, kind, reason, is_final=True)


def _signature(adapter: Adapter, leaves: Sequence[Any]) -> str:
    """Shapes and types of the tensors: `1x3x64x64 float32, 1 int64`."""
    return ", ".join(
        f"{'x'.join(map(str, leaf.shape))} {str(getattr(leaf.dtype, 'name', leaf.dtype)).split('.')[-1]}".strip()
        for leaf in leaves
        if adapter.is_tensor(leaf)
    )
