"""uvicorn's HTTP protocol, with a short cut for `POST /<command>`; everything else is uvicorn's and goes through ASGI.

For a hot request uvicorn's way would make a task, a scope, an event and four messages; `docs/performance.md` has what
that costs. The parser, the limits, the keep-alive rules and the shutdown stay uvicorn's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sized
from typing import Any

import httptools
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from runway import exchange
from runway.access import RefusedError
from runway.connections import Connections
from runway.exceptions import Refusal
from runway.hot import HotExchange, picked
from runway.hot_commands import HotCommands
from runway.idle_timer import IdleTimer
from runway.known_heads import KnownHead, known_head
from runway.limits import OverloadedError
from runway.preferences import is_plain
from runway.request_ids import request_id

JOIN_BYTES = 16_384  # to copy a longer body behind its head costs more than to write two pieces
MAX_HEAD_BYTES = 65_536  # of a head that does not come in one piece
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class BadRequestError(Refusal):
    """What came is no request, or takes too much to become one; the client is hung up on."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class PipelineFlow(FlowControl):
    """Reads nothing more from a client whose pipelined requests wait for their turn; uvicorn would hold any number."""

    def __init__(self, transport: asyncio.Transport, pipeline: Sized) -> None:
        super().__init__(transport)
        self._pipeline = pipeline

    def resume_reading(self) -> None:
        """Read on, once all that came is begun."""
        if not self._pipeline:
            super().resume_reading()


class RunwayHttpProtocol(HttpToolsProtocol):
    """One connection; the app of its server is a `RunwayASGI`, whose `hot` answers commands."""

    cycle: Any  # uvicorn's, ours, or None between requests

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._hot: HotCommands = self.config.app.hot  # type: ignore[union-attr]
        self._connections: Connections = self.config.app.connections  # type: ignore[union-attr]
        self._is_in_head = True
        self._head_bytes = 0
        self._asgi_bytes = 0
        self._closes_after_body = False
        self._known: KnownHead | None = None  # of the last request, if it was hot
        self._whole: bytes | None = None  # what the parser is fed, if nothing came before it
        # From the first byte of a request to its last, and before the very first.
        self.is_reading = True
        self.reading_since: float | None = None  # set by the sweep of `Connections`

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        self._idle.since = None
        if self.cycle is None and self._known is not None and self._takes_known(data, self._known):
            return
        is_begun = self.is_reading and not (self._is_in_head and not self._head_bytes)
        self._whole = None if is_begun else data
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            if self._should_upgrade():
                self._connections.forget(self)
                self.handle_websocket_upgrade()
            else:
                self._unsupported_upgrade_warning()
        except httptools.HttpParserError:
            self._hang_up(BadRequestError(400, "This is not a valid HTTP request."))
        else:
            if self._is_in_head and self.is_reading:
                self._head_bytes += len(data)
                if self._head_bytes > MAX_HEAD_BYTES:
                    text = f"The head of the request is larger than {MAX_HEAD_BYTES} bytes."
                    self._hang_up(BadRequestError(431, text))
        self._whole = None  # it may be a picture, and the connection idle from now on

    def _takes_known(self, data: bytes, known: KnownHead) -> bool:
        """Whether this was a request with the head of the one before, and is taken without the parser."""
        if len(data) != known.total or self.is_reading or not data.startswith(known.raw):
            return False
        command = self._hot.command_at(known.url)
        if command is None:
            return False
        self.cycle = hot = self._hot.exchange(self._hot, command, known.headers, self, True)
        hot.take(data[known.length :])
        return True

    # -- the parser's callbacks

    def on_message_begin(self) -> None:
        """A request begins; uvicorn's scope is made later, for the requests that need one."""
        self.is_reading = self._is_in_head = True
        self.reading_since = None
        self.url = b""
        self.headers = []
        self.expect_100_continue = False

    def on_headers_complete(self) -> None:
        """The head is read: the request is hot, or uvicorn's."""
        parser = self.parser
        self._is_in_head = False
        self._head_bytes = self._asgi_bytes = 0
        is_free = self.cycle is None or self.cycle.response_complete
        if is_free and parser.get_method() == b"POST" and not parser.should_upgrade():
            command = self._hot.command_at(self.url)
            if command is not None:
                keep_alive = parser.should_keep_alive() and parser.get_http_version() != "1.0"
                headers = picked(self.headers)
                if is_plain(headers):
                    hot = self._hot.exchange(self._hot, command, headers, self, keep_alive)
                    self._begin_hot(hot)
                    return
        self._begin_asgi()
        super().on_headers_complete()

    def _begin_hot(self, hot: HotExchange) -> None:
        self.cycle = hot
        refusal = None if self._hot.access is None else self._refusal()
        if refusal is None:
            hot.begin()
        else:
            hot.refuse(refusal)
        if self.expect_100_continue and not hot.response_complete:
            self.transport.write(CONTINUE)

    def _refusal(self) -> RefusedError | None:
        assert self._hot.access is not None
        headers = {name.decode("latin1"): value.decode("latin1") for name, value in self.headers}
        refusal = self._hot.access.refusal("POST", "/command", headers)
        if refusal is not None:
            self._connections.note_turned_away(refusal.reason)
        return refusal

    def _begin_asgi(self) -> None:
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers.extend(headers)

    def on_body(self, body: bytes) -> None:
        """A part of a body; without a cycle it belongs to a request that was answered before its end."""
        if isinstance(self.cycle, HotExchange):
            self.cycle.receive(body)
        elif self.cycle is not None:
            self._asgi_bytes += len(body)
            super().on_body(body)

    def on_message_complete(self) -> None:
        """A request is whole."""
        self.is_reading = False
        hot, whole = self.cycle, self._whole
        if isinstance(hot, HotExchange):
            if whole is not None and hot.keep_alive and not hot.response_complete:
                self._known = known_head(whole, hot.size, self.url, self.headers, hot.headers)
            hot.complete()
        elif self.cycle is not None:
            super().on_message_complete()
        elif self._closes_after_body:
            self.transport.close()

    # -- the answer of a hot exchange

    def respond(self, hot: HotExchange, response: exchange.Response) -> None:
        """Send the response of the exchange in progress, which is over then."""
        if self.cycle is hot:  # else a later request is coming in already, whose body must find it
            self.cycle = None  # what it holds need not outlive it
        transport, body = self.transport, response.body
        if transport.is_closing():
            return
        default = self.server_state.default_headers
        origin = hot.headers.get("origin")
        head = self._hot.head(response, default, hot.keep_alive, hot.request_id, origin)
        if len(body) > JOIN_BYTES:
            transport.writelines([head, body])
        else:
            transport.write(head + body)
        if not hot.keep_alive:
            # To close on bytes that were not read resets the connection, and the client never sees the answer.
            self._closes_after_body = self.is_reading
            if not self.is_reading:
                transport.close()
        self.on_response_complete()

    # -- requests that come to no good end

    @property
    def body_bytes(self) -> int:
        """How much of the body came so far."""
        return self.cycle.size if isinstance(self.cycle, HotExchange) else self._asgi_bytes

    @property
    def is_held_up(self) -> bool:
        """Whether the rest of a request is late because of us: an earlier one still runs, or nobody takes its body."""
        is_busy = self.cycle is not None and not self.cycle.response_complete
        return self.flow.read_paused or (self._is_in_head and is_busy)

    def end_slow_request(self) -> None:
        """Hang up on a client whose request takes too long to arrive."""
        if self._is_in_head and not self._head_bytes:  # it never asked anything
            self.transport.close()
            return
        limit_s = self._connections.limits.read_timeout_s
        text = f"The request did not arrive within {limit_s:g} s (--read-timeout)."
        self._hang_up(BadRequestError(408, text))

    def _hang_up(self, error: Refusal) -> None:
        """Answer with an error if no other answer is under way, and close the connection."""
        self.is_reading, self._known = False, None
        cycle, self.cycle = self.cycle, None
        is_answering = cycle is not None and getattr(cycle, "response_started", False)
        if isinstance(cycle, HotExchange):
            cycle.abandon()
        elif cycle is not None:
            cycle.disconnected = True
            cycle.message_event.set()
        if not self.transport.is_closing():
            if not is_answering:
                response = exchange.failure(error)
                default = self.server_state.default_headers
                head = self._hot.head(response, default, False, request_id({}))
                self.transport.write(head + response.body)
            self.transport.close()

    # -- the connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client connected."""
        super().connection_made(transport)
        self._idle = IdleTimer(self.loop, transport, self.timeout_keep_alive)
        self.flow = PipelineFlow(transport, self.pipeline)
        if not self._connections.admit(self, len(self.connections), self.loop):
            self._connections.note_turned_away("connections")
            count = self._connections.limits.max_connections
            text = f"{count} connections are open already (--max-connections)."
            self._hang_up(OverloadedError(text))

    def connection_lost(self, exc: Exception | None) -> None:
        """The client left."""
        if isinstance(self.cycle, HotExchange):
            self.cycle.abandon()
            self.cycle = None
        super().connection_lost(exc)
        self._connections.forget(self)
        self._idle.stop()

    def on_response_complete(self) -> None:
        """A response is written: the next request may come, or the connection is idle."""
        if self.pipeline:
            super().on_response_complete()
            return
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        flow = self.flow
        if flow.write_paused:
            flow.pause_reading()
        elif flow.read_paused:
            flow.resume_reading()
        self._idle.begin()

    def pause_writing(self) -> None:
        """The client does not read its answers: between two requests, no more is read from it either."""
        super().pause_writing()
        if self.cycle is None or self.cycle.response_complete:
            self.flow.pause_reading()

    def resume_writing(self) -> None:
        """The client reads again."""
        super().resume_writing()
        if self.cycle is None or self.cycle.response_complete:
            self.flow.resume_reading()

    def _unset_keepalive_if_required(self) -> None:
        self._idle.since = None
