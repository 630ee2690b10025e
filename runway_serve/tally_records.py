"""Tallies as plain values, which the supervisor keeps for the next front: a counter that was shown never falls.

The front sends a record with each reading of `GET /metrics`. What it counted after the last one dies with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runway_serve.tallies import CoalescedTally, CommandTally, Durations, Tallies

Record = dict[str, Any]


def record(tallies: Tallies) -> Record:
    """The numbers as lists and maps with text keys, for msgpack."""
    commands = {name: _command(tally) for name, tally in tallies.commands.items()}
    return {"commands": commands, "refusals": dict(tallies.refusals)}


def add(tallies: Tallies, kept: Mapping[str, Any]) -> None:
    """Go on from a record; commands that are no longer declared are left out."""
    for name, numbers in kept["commands"].items():
        if name in tallies.commands:
            _add_command(tallies.commands[name], numbers)
    for reason, count in kept["refusals"].items():
        tallies.refusals[reason] = tallies.refusals.get(reason, 0) + count


def _command(tally: CommandTally) -> Record:
    durations = (tally.waits, tally.runs, tally.encodes)
    coalesced = tally.coalesced
    return {
        "codes": list(tally.codes.items()),
        "durations": [[one.counts, one.total_s] for one in durations],
        "sizes": tally.sizes,
        "calls": tally.calls,
        "coalesced": {
            "sizes": coalesced.sizes,
            "counts": [coalesced.items, coalesced.alone, coalesced.agreed, coalesced.objected],
            "fallbacks": dict(coalesced.fallbacks),
        },
    }


def _add_command(tally: CommandTally, numbers: Mapping[str, Any]) -> None:
    for code, count in numbers["codes"]:
        tally.codes[code] += count
    durations = (tally.waits, tally.runs, tally.encodes)
    for one, (counts, total_s) in zip(durations, numbers["durations"], strict=True):
        _add_durations(one, counts, total_s)
    tally.sizes = _sums(tally.sizes, numbers["sizes"])
    tally.calls += numbers["calls"]
    _add_coalesced(tally.coalesced, numbers["coalesced"])


def _add_durations(durations: Durations, counts: list[int], total_s: float) -> None:
    durations.counts = _sums(durations.counts, counts)
    durations.total_s += total_s


def _add_coalesced(tally: CoalescedTally, numbers: Mapping[str, Any]) -> None:
    items, alone, agreed, objected = numbers["counts"]
    tally.sizes = _sums(tally.sizes, numbers["sizes"])
    tally.items += items
    tally.alone += alone
    tally.agreed += agreed
    tally.objected += objected
    tally.fallbacks.update(numbers["fallbacks"])


def _sums(some: list[int], others: list[int]) -> list[int]:
    return [one + other for one, other in zip(some, others, strict=True)]
