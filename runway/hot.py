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
from urllib.parse import quote, unquote

from flask import Flask
from flask_cors.core import get_cors_headers, get_cors_options
from uvicorn.protocols.http.httptools_impl import STATUS_LINE
from werkzeug.datastructures import Headers

from runway import exchange
from runway.app import HTTP_ERRORS
from runway.exceptions import RunwayError
from runway.execution import Invocation, Output
from runway.request_ids import request_id

if TYPE_CHECKING:
    from runway.codec_pool import CodecPool
    from runway.engine import Cancel, Engine
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
HEAD = b"%scontent-length: %d\r\nx-request-id: %s\r\n\r\n"
LAST_HEAD = HEAD[:-2] + b"connection: close\r\n\r\n"
USUAL_HEADERS = (exchange.JSON_HEADERS, exchange.LONG_JSON_HEADERS)


class HotCommands:
    """What the hot exchanges of a server share.

    Args:
        app: the Flask app whose CORS headers and compression threshold count here too.
        engine: what answers the commands.
        pool: threads for codec work.
    """

    def __init__(self, app: Flask, engine: Engine, pool: CodecPool) -> None:
        self.engine = engine
        self.pool = pool
        self.exchange: type[HotExchange] = HotExchange
        self.compress_min_bytes: int = app.config["COMPRESS_MIN_SIZE"]
        self._only_flask = _has_own_hooks(app)
        self._names: dict[bytes, str] = {}
        self._cors_options = get_cors_options(app)
        self._cors = self._cors_lines({})
        self._dated: RawHeaders | None = None
        self._common = b""
        self._usual: dict[int, bytes] = {}  # by the identity of `USUAL_HEADERS`

    def command_at(self, url: bytes) -> Command | None:
        """The command that a POST to `url` calls; None if that is for Flask to answer."""
        try:
            commands = self.engine.manifest.commands
        except RunwayError:
            return None
        name = self._names.get(url)
        if name is None:
            path = url.partition(b"?")[0]
            name = unquote(path[1:].decode("latin1"))
            if self._only_flask or path[:1] != b"/" or name not in commands:
                return None
            self._names.setdefault(b"/" + quote(name).encode(), name)
        return commands.get(name)

    def head(
        self,
        response: exchange.Response,
        default: RawHeaders,
        keep_alive: bool,
        request: str,
        origin: str | None = None,
    ) -> bytes:
        """The head of a response, to its empty line.

        Args:
            response: what it is of.
            default: the server's own headers; another list whenever one of them changes.
            keep_alive: whether the connection stays open.
            request: the id of the request.
            origin: the page that asked, as its browser says.
        """
        if default is not self._dated:
            self._dated = default
            self._common = b"".join(b"%s: %s\r\n" % pair for pair in default)
            self._usual = {
                id(headers): STATUS_LINE[200] + self._common + self._cors + _lines(headers)
                for headers in USUAL_HEADERS
            }
        head = HEAD if keep_alive else LAST_HEAD
        usual = self._usual.get(id(response.headers))
        if usual is not None and response.status == 200 and not origin:
            return head % (usual, len(response.body), request.encode())
        cors = self._cors_lines({"Origin": origin}) if origin else self._cors
        start = STATUS_LINE[response.status] + self._common + cors + _lines(response.headers)
        return head % (start, len(response.body), request.encode())

    def _cors_lines(self, request: Mapping[str, str]) -> bytes:
        return _lines(get_cors_headers(self._cors_options, Headers(request), "POST"))


class HotExchange:
    """One request for a command and its response.

    The connection calls `begin`, `receive` with the parts of the body, `complete` at its end, and `abandon` when the
    client leaves. Whatever happens, `connection.respond` is called once, or never if the client left.

    `headers` are those of the request that count here, by name in lower case.
    """

    __slots__ = (
        "_body",
        "_call",
        "_cancel",
        "_command",
        "_connection",
        "_encoded_s",
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
        headers: RawHeaders,
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
        self.headers = {
            HEADERS_READ[name]: value.decode("latin1")
            for name, value in headers
            if name in HEADERS_READ
        }
        self.request_id = request_id(self.headers)
        self._body = b""
        self._parts: list[bytes] | None = None
        self._size = 0
        self._call: exchange.Call | None = None
        self._cancel: Cancel | None = None
        self._encoded_s: float | None = None
        self._is_submitted = self._is_settled = False

    def begin(self) -> None:
        """Look at the head: a body that says it is too long is refused before it comes."""
        declared = self.headers.get("content-length", "")
        if declared.isdigit() and int(declared) > exchange.MAX_BODY_BYTES:
            self._refuse_body()

    def receive(self, part: bytes) -> None:
        """The next part of the body."""
        if self.response_complete:
            return
        self._size += len(part)
        if self._size > exchange.MAX_BODY_BYTES:
            self._refuse_body()
        elif self._parts is not None:
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
            self._in_thread(self._decode, self._submit)

    def abandon(self) -> None:
        """The client left: what was submitted is cancelled."""
        self.disconnected = True
        if self._cancel is not None:
            self._cancel()
            self._cancel = None

    def _decode(self) -> Invocation:
        body, self._body = self._body, b""
        manifest = self.hot.engine.manifest
        self._call = exchange.open_call(manifest, self._command.name, self.headers, body)
        self._call.request_id = self.request_id
        return self._call.decode()

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
        elif self._command.outputs.is_bulky or exchange.is_large(event.value):
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
        response = exchange.answer(self._call.encode(output))
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
        self._body, self._parts = b"", None
        self._fail(exchange.body_too_large(exchange.MAX_BODY_BYTES))

    def _fail(self, error: BaseException) -> None:
        if isinstance(error, RunwayError):
            response = exchange.failure(error)
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
            if self._encoded_s is not None:
                self.hot.engine.note_encoded(self._command.name, self._encoded_s)
            self._connection.respond(self, response)


def _lines(headers: Mapping[str, object]) -> bytes:
    return "".join(f"{key.lower()}: {value}\r\n" for key, value in headers.items()).encode("latin1")


def _has_own_hooks(app: Flask) -> bool:
    """Whether the script added request hooks to the app: then every request must pass through Flask."""
    after = [
        hook
        for hooks in app.after_request_funcs.values()
        for hook in hooks
        if not hook.__module__.startswith(("runway.", "flask_cors."))
    ]
    return bool(app.before_request_funcs or after or app.teardown_request_funcs)
