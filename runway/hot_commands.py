"""What the hot requests of a server share: which paths are commands, how the head of a response is written, bounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from flask import Flask
from flask_cors.core import get_cors_headers, get_cors_options
from uvicorn.protocols.http.httptools_impl import STATUS_LINE
from werkzeug.datastructures import Headers

from runway import exchange
from runway.access import Access
from runway.exceptions import RunwayError
from runway.hot import HotExchange, RawHeaders
from runway.limits import HttpLimits, PendingBytes

if TYPE_CHECKING:
    from runway.codec_pool import CodecPool
    from runway.engine import Engine
    from runway.manifest import Command

HEAD = b"%scontent-length: %d\r\nx-request-id: %s\r\n\r\n"
LAST_HEAD = HEAD[:-2] + b"connection: close\r\n\r\n"
USUAL_HEADERS = (exchange.JSON_HEADERS, exchange.LONG_JSON_HEADERS)


class HotCommands:
    """What the hot exchanges of a server share.

    Args:
        app: the Flask app whose CORS headers and compression threshold count here too.
        engine: what answers the commands.
        pool: threads for codec work.
        limits: bounds on bodies.
        access: None while every command may be called by anyone.
    """

    def __init__(
        self,
        app: Flask,
        engine: Engine,
        pool: CodecPool,
        limits: HttpLimits,
        access: Access | None,
    ) -> None:
        self.engine = engine
        self.pool = pool
        self.access = access
        self.max_body_bytes = limits.max_body_bytes
        self.pending = PendingBytes(limits.max_pending_bytes)
        self.exchange: type[HotExchange] = HotExchange
        self.compress_min_bytes: int = app.config["COMPRESS_MIN_SIZE"]
        self._only_flask = _has_own_hooks(app)
        self._names: dict[bytes, str] = {}
        self._cors_options = get_cors_options(app)
        self._cors = _lines(self.cors(None))
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
        cors = _lines(self.cors(origin)) if origin else self._cors
        start = STATUS_LINE[response.status] + self._common + cors + _lines(response.headers)
        return head % (start, len(response.body), request.encode())

    def cors(self, origin: str | None) -> Mapping[str, object]:
        """The headers that let a page of `origin` read an answer."""
        request = {"Origin": origin} if origin else {}
        found: Mapping[str, object] = get_cors_headers(self._cors_options, Headers(request), "POST")
        return found


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
