"""Bounds on what clients may hold of a server: bytes, connections, time. Each has a flag of `runway-serve`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runway.exceptions import Refusal

MIB = 1 << 20


ITEM_BYTES = 32  # of a number in a list


@dataclass(frozen=True)
class HttpLimits:
    """Limits of the HTTP side.

    Args:
        max_body_bytes: one body, also after gzip is undone.
        max_pending_bytes: bodies and decoded inputs of all requests that have no answer yet; small ones do not count.
        read_timeout_s: time for a request to arrive; a body gets more as long as it comes quickly.
        max_connections: open connections, WebSockets included.
        max_websockets: open WebSockets.
        max_websocket_jobs: unfinished jobs of one WebSocket.
        websocket_idle_s: a WebSocket is closed after this time without a job or a message; None: never.
    """

    max_body_bytes: int = 128 * MIB
    max_pending_bytes: int = 2048 * MIB
    read_timeout_s: float = 30.0
    max_connections: int = 20_000
    max_websockets: int = 10_000
    max_websocket_jobs: int = 1_000
    websocket_idle_s: float | None = None


class OverloadedError(Refusal):
    """The server holds as much as it may for its clients (503)."""

    code = 503
    retry_after_s = 1.0


class PendingBytes:
    """Bytes held for requests without an answer. Owned by the event loop."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.held = 0

    def take(self, count: int) -> None:
        """Count bytes that are about to be held; what comes alone is never too much.

        Raises:
            OverloadedError: others hold too much already.
        """
        if self.held and self.held + count > self._limit:
            megabytes = self._limit // MIB
            raise OverloadedError(
                f"The requests that wait hold {megabytes} MB already (--max-pending-mb)."
            )
        self.held += count

    def give_back(self, count: int) -> None:
        """These bytes are free again."""
        self.held -= count


def bytes_of(inputs: Mapping[str, Any]) -> int:
    """About how much memory decoded inputs take; what lists hold inside lists does not count."""
    return sum(_bytes_of(value) for value in inputs.values())


def _bytes_of(value: Any) -> int:
    size = getattr(value, "nbytes", None)
    if isinstance(size, int):
        return size
    if isinstance(value, (str, bytes)):
        return len(value)
    return len(value) * ITEM_BYTES if isinstance(value, (list, dict)) else ITEM_BYTES
