"""Counts of what coalescing did, for metrics and `explain`, and the one log line that a network or command gets."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field

logger = logging.getLogger(__name__)


@dataclass
class Statistics:
    """Counts since the worker started.

    `sizes`: stacked runs by number of items. `alone`: network calls that ran by themselves. `checks`: by whether they
    agreed. `fallbacks`: by reason. `reasons`: network or command -> why it is left alone.
    """

    sizes: Counter[int] = field(default_factory=Counter)
    alone: int = 0
    checks: Counter[bool] = field(default_factory=Counter)
    fallbacks: Counter[str] = field(default_factory=Counter)
    reasons: dict[str, str] = field(default_factory=dict)

    def stacked(self, name: str, size: int) -> None:
        """A network ran once for `size` items."""
        self.sizes[size] += 1

    def checked(self, name: str, size: int, objection: str | None) -> None:
        """A network ran both ways."""
        self.checks[objection is None] += 1
        logger.debug("%s: %d items alone and stacked: %s", name, size, objection or "equal")

    def fell_back(self, name: str, reason: str, is_final: bool) -> None:
        """A network or command is left alone, for good or for a while."""
        self.fallbacks[reason] += 1
        if self.reasons.get(name) == reason:
            return
        self.reasons[name] = reason
        level = logging.INFO if is_final else logging.DEBUG
        logger.log(level, "%s is not coalesced: %s", name, reason)
