"""Counts of what coalescing did, for metrics and `explain`, and the one log line that a network or command gets."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

logger = logging.getLogger(__name__)

Kind = Literal[
    # of a network
    "unfit_network",  # hooks, layers in training mode
    "arguments",  # it is called with what cannot be joined
    "failed_check",
    "failed_run",  # it raised when stacked, and not for the items alone
    "out_of_memory",
    "not_worth_it",
    # of a command
    "no_network",
    "gradients",
    "shared_state",
    "files",
    "processes",  # and the environment they inherit
    "unreadable",  # what its calls share cannot be looked at
]


@dataclass
class Counts:
    """How often what happened.

    `sizes`: stacked runs by number of items. `alone`: calls of networks that ran by themselves, those of checks apart.
    `checks`: by whether they agreed. `fallbacks`: by `Kind` of reason.
    """

    sizes: Counter[int] = field(default_factory=Counter)
    alone: int = 0
    checks: Counter[bool] = field(default_factory=Counter)
    fallbacks: Counter[str] = field(default_factory=Counter)


class Statistics(Counts):
    """Counts since the worker started, and `reasons`: network or command -> why it is left alone."""

    def __init__(self) -> None:
        super().__init__()
        self.reasons: dict[str, str] = {}
        self._told = Counts()
        self._has_news = False

    def news(self) -> Counts | None:
        """What was counted since the last time; None for nothing, which costs nothing."""
        if not self._has_news:
            return None
        told = self._told
        self._told = Counts(
            self.sizes.copy(), self.alone, self.checks.copy(), self.fallbacks.copy()
        )
        self._has_news = False
        return Counts(
            self.sizes - told.sizes,
            self.alone - told.alone,
            self.checks - told.checks,
            self.fallbacks - told.fallbacks,
        )

    def stacked(self, size: int) -> None:
        """A network ran once for `size` items."""
        self.sizes[size] += 1
        self._has_news = True

    def ran_alone(self, count: int = 1) -> None:
        """So many calls of networks ran by themselves."""
        self.alone += count
        self._has_news = True

    def checked(self, name: str, size: int, objection: str | None) -> None:
        """A network ran both ways."""
        self.checks[objection is None] += 1
        self._has_news = True
        logger.debug("%s: %d items alone and stacked: %s", name, size, objection or "equal")

    def fell_back(self, name: str, kind: Kind, reason: str, is_final: bool) -> None:
        """A network or command is left alone, for good or for a while."""
        self.fallbacks[kind] += 1
        self._has_news = True
        if self.reasons.get(name) == reason:
            return
        self.reasons[name] = reason
        level = logging.INFO if is_final else logging.DEBUG
        logger.log(level, "%s is not coalesced: %s", name, reason)
