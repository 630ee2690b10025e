"""The hot path of a server: one `POST /<command>` from its last header to its last byte, without a task or a thread.

`runway.http_protocol` feeds a `HotExchange` from the connection; what goes in and out is `runway.exchange`'s, as in the
Flask route. Everything here belongs to the event loop's thread but for the codec work of large bodies, which a
`CodecPool` does.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from threading import get_ident
from time import perf_counter
from typing import TYPE_CHECKING, Any

from runway import exchange
from runway.app import HTTP_ERRORS
from runway.exceptions import RunwayError
from runway.invocation import Invocation, Output
from runway.limits import OverloadedError, bytes_of
from runway.request_ids import request_id

if TYPE_CHECKING:
    from runway.engine import Cancel
    from runway.hot_commands import HotCommands
    from runway.http_protocol import RunwayHttpProtocol
    from runway.manifest import Command

logger = logging.getLogger(__name__)
RawHeaders = list[tuple[bytes, bytes]]

INLINE_BODY_BYTES = 16_384  # below this, parsing costs less than the hop to a thread
HEADERS_READ = {
    b"content-length": "content-length",
    b"content-encoding": "content-encoding",
    b"accept-encoding": "accept-encoding",
    b"x-runway-output-format": "x-runway-output-format",
    b"origin": "origin",
    b"accept": "accept",
    b"prefer": "prefer",
    b"x-request-id": "x-request-id",
}


def picked(headers: RawHeaders) -> dict[str, str]:
    """The headers of a request that count here, by name in lower case, in which they must come."""
    return {
        HEADERS_READ[name]: value.decode("latin1")
        for name, value in headers
        if name in HEADERS_READ
    }


class HotExchange:
    """One request for a command and its response.

    The connection calls `begin`, `receive` with the parts of the body, `complete` at its end, or `take` for all three
    where a small body came whole, and `abandon` when the client leaves. Whatever happens, `connection.respond` is
    called once, or never if the client left.

    `headers` are those that `picked` picks.
    """

    __slots__ = (
        "_body",
        "_call",
        "_cancel",
        "_command",
        "_connection",
        "_encoded_s",
        "_held",
        "_is_settled",
        "_is_submitted",
        "_loop",
        "_parts",
        "_size",
        "_thread",
        "disconnected",
        "headers",
        "hot",
        "keep_alive",
        "request_id",
        "response_complete",
    )

    def __init__(
        self,
        hot: HotCommands,
        command: Command,
        headers: Mapping[str, str],
        connection: RunwayHttpProtocol,
        keep_alive: bool,
    ) -> None:
        self.hot = hot
        self.keep_alive = keep_alive
        self.disconnected = False
        self.response_complete = False
        self._command = command
        self._connection = connection
        self._loop = connection.loop
        self._thread = get_ident()
        self.headers = headers
        self.request_id = request_id(headers)
        self._body = b""
        self._parts: list[bytes] | None = None
        self._size = 0
        self._held = 0
        self._call: exchange.Call | None = None
        self._cancel: Cancel | None = None
        self._encoded_s: float | None = None
        self._is_submitted = self._is_settled = False

    def begin(self) -> None:
        """Look at the head: a body that says it is too long is refused before it comes."""
        declared = self.headers.get("content-length", "")
        if declared.isdigit():
            size = int(declared)
            if size > self.hot.max_body_bytes:
                self._refuse_body()
            elif size > INLINE_BODY_BYTES:
                self._hold(size)

    def take(self, body: bytes) -> None:
        """The whole body, of at most `INLINE_BODY_BYTES`."""
        self._size = len(body)
        if self._size > self.hot.max_body_bytes:
            self._refuse_body()
            return
        self._body = body
        self.complete()

    def refuse(self, error: RunwayError) -> None:
        """Answer with an error; what comes of the body is dropped."""
        self._body, self._parts = b"", None
        self._fail(error)

    def receive(self, part: bytes) -> None:
        """The next part of the body."""
        if self.response_complete:
            return
        self._size += len(part)
        if self._size > self.hot.max_body_bytes:
            self._refuse_body()
            return
        if self._size > INLINE_BODY_BYTES and not self._hold(max(self._size, self._held)):
            return
        if self._parts is not None:
            self._parts.append(part)
        elif self._body:
            self._parts = [self._body, part]
        else:
            self._body = part

    def complete(self) -> None:
        """The body is whole: decode it and submit the call."""
        if self.response_complete:
            return
        if self._parts is not None:
            self._body, self._parts = b"".join(self._parts), None
        is_small = self._size < INLINE_BODY_BYTES and "content-encoding" not in self.headers
        if is_small and not self._command.inputs.is_bulky:
            try:
                invocation = self._decode()
            except Exception as error:
                self._fail(error)
                return
            self._submit(invocation)
        else:
            try:
                self.hot.engine.check_room(self._command.name)
            except RunwayError as error:
                self._is_submitted = True  # the engine has counted it
                self._fail(error)
                return
            self._in_thread(self._decode, self._admit)

    def abandon(self) -> None:
        """The client left: what was submitted is cancelled."""
        self.disconnected = True
        if self._cancel is not None:
            self._cancel()
            self._cancel = None
        self._hold(0)

    @property
    def size(self) -> int:
        """Bytes of the body that came so far."""
        return self._size

    def _hold(self, count: int) -> bool:
        """Have `count` bytes counted as held for this request; False if it was refused over them."""
        change = count - self._held
        if change > 0:
            try:
                self.hot.pending.take(change)
            except OverloadedError as error:
                self.hot.engine.note_turned_away("pending_bytes")
                self.refuse(error)
                return False
        elif change:
            self.hot.pending.give_back(-change)
        self._held = count
        return True

    def _decode(self) -> Invocation:
        body, self._body = self._body, b""
        manifest = self.hot.engine.manifest
        self._call = exchange.open_call(
            manifest, self._command.name, self.headers, body, self.hot.max_body_bytes
        )
        self._call.request_id = self.request_id
        return self._call.decode()

    def _admit(self, invocation: Invocation) -> None:
        """Submit what a thread decoded; a picture may be a hundred times as large as its file."""
        if not self.disconnected and self._hold(bytes_of(invocation.inputs)):
            self._submit(invocation)

    def _submit(self, invocation: Invocation) -> None:
        if self.disconnected:
            return
        try:
            self.hot.engine.note_command(self._call)
            self._is_submitted = True
            cancel = self.hot.engine.submit(invocation, self._hear)
        except Exception as error:
            self._fail(error)
            return
        if not self._is_settled:  # an answer may be quicker; then the two would keep each other
            self._cancel = cancel

    def _hear(self, event: Output | RunwayError) -> None:
        if get_ident() == self._thread:
            self._settle(event)
        else:
            self._loop.call_soon_threadsafe(self._settle, event)

    def _settle(self, event: Output | RunwayError) -> None:
        self._cancel, self._is_settled = None, True
        if isinstance(event, RunwayError):
            self._fail(event)
        elif self._command.outputs.is_bulky or exchange.is_large(event.value or {}):
            self._in_thread(lambda: self._compressed(self._encode(event)), self._respond)
        else:
            try:
                response = self._encode(event)
            except Exception as error:
                self._fail(error)
                return
            self._respond_small(response)

    def _encode(self, output: Output) -> exchange.Response:
        assert self._call is not None
        began = perf_counter()
        response = exchange.reply(self._call, output)
        self._encoded_s = perf_counter() - began
        watch = self.hot.engine.watch
        if watch is not None:
            watch(self._call, response.body)
        return response

    def _in_thread(self, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        def done(result: Any, error: BaseException | None) -> None:
            if error is None:
                then(result)
            else:
                self._fail(error)

        self.hot.pool.start(self._loop, work, done)

    def _refuse_body(self) -> None:
        self.refuse(exchange.body_too_large(self.hot.max_body_bytes))

    def _fail(self, error: BaseException) -> None:
        if isinstance(error, RunwayError):
            response = exchange.failure(error, self.request_id)
        else:
            logger.error("POST /%s failed", self._command.name, exc_info=error)
            response = exchange.answer({"error": HTTP_ERRORS[500]}, 500)
        if not self._is_submitted:
            self.hot.engine.note_refused(self._command.name, response.status)
        self._respond_small(response)

    def _respond_small(self, response: exchange.Response) -> None:
        """Respond with what was encoded on the loop; a long text that the client wants as gzip leaves it once more."""
        size = len(response.body)
        if size < self.hot.compress_min_bytes:
            self._respond(response)
        elif size < INLINE_BODY_BYTES or "accept-encoding" not in self.headers:
            self._respond(self._compressed(response))
        else:
            self._in_thread(lambda: self._compressed(response), self._respond)

    def _compressed(self, response: exchange.Response) -> exchange.Response:
        accepted = self.headers.get("accept-encoding", "")
        return exchange.compressed(response, accepted, self.hot.compress_min_bytes)

    def _respond(self, response: exchange.Response) -> None:
        if not self.disconnected and not self.response_complete:
            self.response_complete = True
            if self._held:
                self._hold(0)
            if self._encoded_s is not None:
                self.hot.engine.note_encoded(self._command.name, self._encoded_s)
            self._connection.respond(self, response)
