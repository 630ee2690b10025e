"""Runs calls through a coalescer, as a worker does, for the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from runway_serve.batching.coalesce.coalescer import Coalescer
from runway_serve.batching.coalesce.habits import WATCHED


class Runner:
    """Calls of one command function, side by side."""

    def __init__(self, function: Callable[..., Any], model: Any, lanes: int = 32) -> None:
        self.coalescer = Coalescer(lanes)
        self.function = function
        self.model = model
        self.order: list[int] = []

    def __call__(self, inputs: Sequence[Any]) -> list[Any]:
        """What the function returned, or raised, for each of the inputs."""
        results: list[Any] = [None] * len(inputs)

        def ended(index: int, result: Any) -> None:
            self.order.append(index)
            results[index] = result

        def job(value: Any) -> Any:
            try:
                return self.function(self.model, value)
            except Exception as error:
                return error

        jobs = [lambda value=value: job(value) for value in inputs]
        self.coalescer.run("command", self.function, self.model, jobs, ended)
        return results

    def watch(self, value: Any) -> None:
        """Run as many calls one by one as are watched before any run side by side."""
        for _ in range(WATCHED):
            self([value])

    @property
    def sizes(self) -> dict[int, int]:
        """Stacked runs by number of items."""
        return dict(self.coalescer.statistics.sizes)

    @property
    def reasons(self) -> dict[str, str]:
        return self.coalescer.statistics.reasons
