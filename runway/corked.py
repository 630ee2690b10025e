"""uvicorn's HTTP protocol with one write a response: head and body leave together.

uvicorn hands the head and the body of a response to the transport separately, which are two system calls, and most
answers here are short.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

JOIN_BYTES = 16_384  # to copy a longer body behind its head costs more than to write two pieces
HEAD_ALONE_S = 0.001  # a head whose body does not follow at once leaves by itself after this


class CorkedTransport:
    """A transport that holds the head of a response until its body comes; everything else is the transport's own."""

    __slots__ = ("_head", "_loop", "_timer", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._head = b""
        self._timer: asyncio.TimerHandle | None = None

    def write(self, data: bytes) -> None:
        """Send, a head together with what is written next."""
        if self._head:
            head = self._head
            self._release()
            if len(data) > JOIN_BYTES:
                self._transport.writelines([head, data])
                return
            data = head + data
        elif data.startswith(b"HTTP/1.1 "):
            self._head = data
            self._timer = self._loop.call_later(HEAD_ALONE_S, self.flush)
            return
        self._transport.write(data)

    def flush(self) -> None:
        """Send a head that still waits."""
        if self._head:
            head = self._head
            self._release()
            self._transport.write(head)

    def _release(self) -> None:
        self._head = b""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

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
