"""How a client wants its answer: at once and as JSON, as a job (`Prefer`), or as server-sent events (`Accept`)."""

from __future__ import annotations

from collections.abc import Mapping

EVENT_STREAM = "text/event-stream"
PLAIN_ACCEPT = frozenset((None, "*/*", "application/json", "application/json, text/plain, */*"))


def is_plain(headers: Mapping[str, str]) -> bool:
    """Whether a request wants nothing but an answer; `headers` have lower-case names.

    Nearly all are told by two look-ups, as every call pays for this.
    """
    if "prefer" not in headers and headers.get("accept") in PLAIN_ACCEPT:
        return True
    return not (wants_job(headers) or wants_events(headers))


def wants_job(headers: Mapping[str, str]) -> bool:
    """Whether a request prefers a 202 and a job to an answer (RFC 7240)."""
    preferences = headers.get("prefer", "").lower().split(",")
    return any(item.partition(";")[0].strip() == "respond-async" for item in preferences)


def wants_events(headers: Mapping[str, str]) -> bool:
    """Whether a request names the type of server-sent events as one that it takes."""
    accepted = headers.get("accept", "").lower().split(",")
    return any(item.partition(";")[0].strip() == EVENT_STREAM for item in accepted)
