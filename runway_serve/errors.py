"""What a server can answer beyond the SDK's errors: refusals, lost workers, deadlines."""

from __future__ import annotations

from runway.exceptions import RunwayError


class ServerError(RunwayError):
    """An error of the server itself; `retry_after_s` becomes the Retry-After header."""

    code = 500
    retry_after_s: float | None = None

    def __init__(self, message: str) -> None:
        super().__init__()
        self.message = message

    def get_traceback(self) -> list[str]:
        """Nothing: the frames of the server say nothing about the model."""
        return []


class UnavailableError(ServerError):
    """No worker is ready, the queue is full, or the server is stopping: come back later."""

    code = 503
    retry_after_s = 1.0


class WorkerLostError(ServerError):
    """The worker died while it ran this call, which is not run again."""


class DeadlineError(ServerError):
    """The call took longer than the server allows."""

    code = 504
