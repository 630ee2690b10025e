"""Calls that are refused before they are queued, and their count."""

from __future__ import annotations

from runway_serve.errors import UnavailableError
from runway_serve.tallies import Tallies


class Refusals:
    """Makes the error of a refused call and counts it.

    Args:
        tallies: where they are counted.
        max_queue: calls of a command that may wait.
    """

    def __init__(self, tallies: Tallies, max_queue: int) -> None:
        self._tallies = tallies
        self._max_queue = max_queue

    def not_serving(self, command: str, is_draining: bool) -> UnavailableError:
        """No worker can take it, or the server is about to end."""
        if is_draining:
            return self._refused(command, "stopping", "The server is stopping.")
        return self._refused(command, "no_worker", "No worker is ready yet.")

    def lane_full(self, command: str) -> UnavailableError:
        """Too many wait already."""
        text = f"{self._max_queue} calls of {command} are waiting already (--max-queue)."
        return self._refused(command, "queue_full", text)

    def _refused(self, command: str, reason: str, message: str) -> UnavailableError:
        self._tallies.refusals[reason] += 1
        error = UnavailableError(message)
        self._tallies.observe_answer(command, error.code)
        return error
