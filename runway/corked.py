"""uvicorn's HTTP protocol with one write a response: head and body leave together.

uvicorn hands the head and the body of a response to the transport separately, which are two system calls, and most
answers here are short.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class CorkedTransport:
    """A transport whose writes of one turn of the loop go out as one; everything else is the transport's own."""

    __slots__ = ("_call_soon", "_chunks", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._call_soon = loop.call_soon
        self._chunks: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Send with whatever else is written before the loop turns."""
        if not self._chunks:
            self._call_soon(self.flush)
        self._chunks.append(data)

    def flush(self) -> None:
        """Send what was written."""
        if self._chunks:
            chunks, self._chunks = self._chunks, []
            self._transport.write(b"".join(chunks) if len(chunks) > 1 else chunks[0])

    def close(self) -> None:
        """Send what was written, then close."""
        self.flush()
        self._transport.close()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Hand the connection to another protocol, as WebSockets do."""
        self.flush()
        self._transport.set_protocol(protocol)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class CorkedHttpProtocol(HttpToolsProtocol):
    """`HttpToolsProtocol` on a corked transport."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client connected."""
        corked = CorkedTransport(transport, self.loop)
        super().connection_made(cast("asyncio.Transport", corked))
