"""Which outputs of a batch nobody else can reach: these need no copy before the model runs again.

Found by counting references, as numpy does before it reuses the memory of a part of an expression. Whoever else could
change an array holds one: the model that keeps it, or the list or dict it came in, a view, a tensor on its memory.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from sys import getrefcount
from typing import Any
from weakref import getweakrefcount

from numpy import empty, ndarray

NEVER_CHANGE = (type(None), bool, int, float, str, bytes)


def unshared(items: Sequence[Any]) -> list[bool]:
    """Whether each item is a dict of arrays and plain values, in memory that is reached through this list alone.

    `items` itself must be nobody else's. False where the interpreter does not count references exactly.
    """
    if not _counts_exactly():
        return [False] * len(items)
    dict_count, array_count = _ALONE
    found = []
    for item in items:
        is_ours = type(item) is dict and getrefcount(item) == dict_count
        if is_ours:
            for value in item.values():
                if type(value) is ndarray:
                    if (
                        getrefcount(value) != array_count
                        or getweakrefcount(value)
                        or not value.flags.owndata
                        or value.dtype.hasobject
                    ):
                        is_ours = False
                        break
                elif type(value) not in NEVER_CHANGE:
                    is_ours = False
                    break
        found.append(is_ours)
    return found


def _counts_exactly() -> bool:
    has_lock = getattr(sys, "_is_gil_enabled", None)  # Python 3.13; there is always one before
    return sys.implementation.name == "cpython" and (has_lock is None or has_lock())


def _counts_alone() -> tuple[int, int]:
    """What the loops of `unshared` count for a dict and an array that nobody else has."""
    for item in [{"": empty(0)}]:
        of_item = getrefcount(item)  # before `values`, which holds it too
        for value in item.values():
            return of_item, getrefcount(value)
    raise AssertionError


_ALONE = _counts_alone()
