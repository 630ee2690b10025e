"""What coalescing makes of a model's commands, found by running them: for `runway-serve explain`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from runway.data_types import NoExampleError
from runway.exceptions import RunwayError
from runway.execution import stream_command
from runway.invocation import Invocation
from runway.manifest import Command
from runway.model import RunwayModel
from runway_serve.batching.coalesce.case import Case
from runway_serve.batching.coalesce.coalescer import Coalescer
from runway_serve.batching.coalesce.costs import WORTH
from runway_serve.batching.coalesce.habits import WATCHED
from runway_serve.workers.example_calls import varied_inputs
from runway_serve.workers.warmup_file import read_requests

VARIANTS = (
    4  # inputs that differ; where shapes differ with them, a full group still has several of each
)
GROUPS_MIN, GROUPS_MAX = 8, 24  # each batch size is checked once and measured three times
GROUP_MIN = 4  # calls
STEPS = 4  # values of a generator; it may never end


class Explanation:
    """Runs the commands of a model that was set up, one after the other, as a worker under load would.

    Args:
        model: the script's model.
        lanes: how many calls run side by side.
        command_s: time for each command; a slow one gets smaller groups, and `GROUPS_MIN` of them in any case.
        requests: a file of requests, as for `--warmup`; None makes calls up.
    """

    def __init__(
        self, model: RunwayModel, lanes: int, command_s: float, requests: str | None
    ) -> None:
        self._model = model
        self._lanes = lanes
        self._command_s = command_s
        self._requests = None if requests is None else read_requests(Path(requests))
        self._coalescer = Coalescer(lanes)

    def of_all(self) -> list[dict[str, Any]]:
        """What was found, by command."""
        return [self.of(command) for command in self._model.manifest.commands.values()]

    def of(self, command: Command) -> dict[str, Any]:
        """Whether calls of the command run side by side, the reason if not, and its networks."""
        found: dict[str, Any] = {
            "name": command.name,
            "side_by_side": False,
            "reason": None,
            "calls": 0,
            "networks": [],
        }
        if command.is_batched:
            return {**found, "reason": "it is declared with batch=True and gets whole batches"}
        if not command.may_coalesce:
            return {**found, "reason": "it is declared with coalesce=False"}
        try:
            calls = self._calls(command)
        except (NoExampleError, RunwayError) as error:
            return {**found, "reason": f"not tried: {error}"}
        errors = _Run(self._coalescer, self._model.model, command, calls).run(
            self._lanes, self._command_s
        )
        if all(errors):
            return {**found, "calls": len(errors), "reason": f"every call failed: {errors[0]}"}
        reason = self._coalescer.reason(command.name)
        networks = [_network(case, reason is None) for case in self._coalescer.cases(command.name)]
        known = {network["name"] for network in networks}
        for name, why in self._coalescer.statistics.reasons.items():
            if name not in known and not name.startswith("command "):
                networks.append(_left_alone(name, why))
        self._coalescer.statistics.reasons.clear()
        if reason is None and not any(network["stacked"] for network in networks):
            reason = "none of its networks is stacked"
        return {
            **found,
            "side_by_side": reason is None,
            "reason": reason,
            "calls": len(errors),
            "failed_calls": sum(error is not None for error in errors),
            "networks": networks,
        }

    def _calls(self, command: Command) -> list[Invocation]:
        """Calls that differ.

        Raises:
            NoExampleError: a call cannot be made up, or the file has none.
            RunwayError: inputs of the file do not fit.
        """
        if self._requests is None:
            try:
                given = varied_inputs(command, VARIANTS)
            except NoExampleError as missing:
                raise NoExampleError(f"no example of input {missing}; use --requests") from missing
        else:
            given = [dict(r.inputs) for r in self._requests if r.command == command.name]
            if not given:
                raise NoExampleError("the file holds no request for it")
        return [Invocation(command.name, command.inputs.decode(inputs)) for inputs in given]


class _Run:
    """The calls of one command, again and again until the coalescer made up its mind."""

    def __init__(
        self, coalescer: Coalescer, model: Any, command: Command, calls: Sequence[Invocation]
    ) -> None:
        self._coalescer = coalescer
        self._model = model
        self._command = command
        self._calls = cycle(calls)
        self._errors: list[str | None] = []

    def run(self, lanes: int, command_s: float) -> list[str | None]:
        """What each call raised, None for those that went well."""
        began = time.monotonic()
        for _ in range(WATCHED):  # one by one, as these are looked at in any case
            self._group(1)
        call_s = (time.monotonic() - began) / WATCHED
        affordable = int(command_s / GROUPS_MIN / max(call_s, 1e-6))
        size = max(min(GROUP_MIN, lanes), min(lanes, affordable))
        for count in range(GROUPS_MAX):
            is_late = count >= GROUPS_MIN and time.monotonic() - began > command_s
            if is_late or self._coalescer.wanted(self._command.name) == 1:
                break
            self._group(size)
        return self._errors

    def _group(self, size: int) -> None:
        jobs = [partial(self._call, call) for call in islice(self._calls, size)]
        function = self._command.function
        assert function is not None
        self._coalescer.run(
            self._command.name, function, self._model, jobs, lambda _, error: self._note(error)
        )

    def _note(self, error: str | None) -> None:
        self._errors.append(error)

    def _call(self, call: Invocation) -> str | None:
        try:
            with closing(stream_command(self._command, self._model, call)) as steps:
                for _ in islice(steps, STEPS):
                    pass
        except RunwayError as error:
            return error.message
        return None


def _network(case: Case, is_tried: bool) -> dict[str, Any]:
    """One network and signature: is it stacked, what an item costs in batches, what the reason is if not."""
    times = case.costs.known()
    alone_s = times.get(1)
    paid = [size for size, item_s in times.items() if alone_s and item_s < WORTH * alone_s]
    is_stacked = case.is_proved and bool(paid)
    reason = case.reason
    if reason is None and case.is_proved and not is_stacked:
        reason = "stacked results agree, but stacking does not pay"
    elif reason is None and not is_stacked:
        reason = "no two calls met it at once" if is_tried else "its calls run one at a time"
    return {
        "name": case.name,
        "signature": case.signature,
        "stacked": is_stacked,
        "reason": reason,
        "paid_sizes": paid,
        "item_ms": {str(size): round(item_s * 1000, 3) for size, item_s in times.items()},
    }


def _left_alone(name: str, reason: str) -> dict[str, Any]:
    """A network whose calls never could be compared with others."""
    return {
        "name": name,
        "signature": "",
        "stacked": False,
        "reason": reason,
        "paid_sizes": [],
        "item_ms": {},
    }
