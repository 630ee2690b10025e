"""One kept connection: writes the encoded request, parses the answer, tells the load about it.

This runs once a request on the cores that the measured server uses too, so every call here is one too many.
"""

from __future__ import annotations

import asyncio
import re
import time
from typing import TYPE_CHECKING, Any, cast

import httptools
import orjson

if TYPE_CHECKING:
    from runway_serve.bench.load import Load

ERROR_STATUS = 400


class Connection(asyncio.Protocol):
    """At most one request at a time; `begun` is None while there is none."""

    def __init__(self, load: Load, request: bytes) -> None:
        self.begun: float | None = None  # what its latency counts from
        self.sent = 0.0
        self.is_lost = False
        self._load = load
        self._request = request
        self._parser = httptools.HttpResponseParser(self)
        self._body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio has connected."""
        self._transport = cast(asyncio.Transport, transport)
        self._write = self._transport.write

    def send(self, begun: float, now: float) -> None:
        """Send the request; its latency counts from `begun`."""
        self.begun = begun
        self.sent = now
        self._write(self._request)

    def close(self) -> None:
        """Drop the connection at once."""
        self._transport.abort()

    def give_up(self, kind: str, text: str) -> None:
        """Count the request as failed and drop the connection, on which its answer may still come."""
        self.begun = None
        self.is_lost = True
        self._load.failed(self, kind, text)
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Bytes came: parse them."""
        self._load.tally.received_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self.give_up("bad answer", f"{error}: {data[:80]!r}")

    def on_body(self, body: bytes) -> None:
        """The parser found a piece of a body; its first piece tells of errors."""
        if not self._body:
            self._body = body

    def on_message_complete(self) -> None:
        """The parser found the end of an answer."""
        now = time.monotonic()
        begun, self.begun = self.begun, None
        body, self._body = self._body, b""
        if begun is None:
            self._transport.abort()  # an answer nobody asked for
            return
        status = self._parser.get_status_code()
        if not self._parser.should_keep_alive():
            self.is_lost = True
            self._transport.close()
        if status < ERROR_STATUS:
            self._load.answered(self, begun, now)
        else:
            kind = f"HTTP {status}"
            is_known = kind in self._load.tally.failures
            self._load.failed(self, kind, "" if is_known else error_text(body))

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is gone, by either side."""
        self.is_lost = True
        if self.begun is not None:
            self.begun = None
            kind = "connection reset" if error else "connection closed"
            self._load.failed(self, kind, str(error or "the server closed it before its answer"))
        self._load.lost(self)


def error_text(body: bytes) -> str:
    """What an error's body says, on one line: its `error` if it is JSON, else its text without tags."""
    try:
        content: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        text = re.sub(r"<[^>]*>", " ", body.decode("utf8", "replace"))
    else:
        text = str(content.get("error", content) if isinstance(content, dict) else content)
    return " ".join(text.split())
