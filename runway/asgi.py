"""The ASGI callable that servers run: WebSockets and jobs on the event loop, other HTTP by the Flask app in threads.

Plain calls never come here: `runway.http_protocol` takes them to `runway.hot` before there is an ASGI scope.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from a2wsgi import WSGIMiddleware
from flask import Flask

from runway import exchange
from runway.access import SAFE_METHODS, SUBPROTOCOL, WEBSOCKET, Access, RefusedError
from runway.codec_pool import CodecPool
from runway.connections import Connections
from runway.engine import Engine
from runway.exceptions import Refusal
from runway.hot_commands import HotCommands
from runway.job_routes import JobRoutes
from runway.jobs import JobPolicy
from runway.limits import HttpLimits, OverloadedError
from runway.request_ids import HEADER, request_id
from runway.watch import Watch
from runway.websocket import JobConnection, UsedIds

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

CODEC_THREADS = max(2, min(8, os.cpu_count() or 2))
FLASK_THREADS = 16


class RunwayASGI:
    """ASGI application over a Flask app and an engine; owned by one event loop.

    `hot` answers `POST /<command>`, `connections` bounds what clients keep open; `runway.http_protocol` uses both.
    """

    def __init__(
        self,
        app: Flask,
        engine: Engine,
        limits: HttpLimits | None = None,
        access: Access | None = None,
        jobs: JobPolicy | None = None,
    ) -> None:
        self._engine = engine
        self._limits = limits or HttpLimits()
        self._access = access or Access()
        wsgi: Any = _with_chunked_bodies(app)
        # What waits for a setup, or for the body of a slow client, must not keep a health check waiting.
        self._reads = WSGIMiddleware(wsgi, workers=FLASK_THREADS)
        self._writes = WSGIMiddleware(wsgi, workers=FLASK_THREADS)
        self._pool = CodecPool(CODEC_THREADS)
        self._used_ids = UsedIds()
        self._sockets = 0
        asked = None if self._access.leaves_commands_open else self._access
        self.hot = HotCommands(app, engine, self._pool, self._limits, asked)
        self.connections = Connections(self._limits, engine.note_turned_away)
        self._watch = Watch(engine, self._pool.run)
        self._job_routes = JobRoutes(app, self.hot, self._pool, jobs or JobPolicy())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection scope."""
        if scope["type"] == "http":
            await self._serve_http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._serve_websocket(scope, receive, send)

    async def _serve_http(self, scope: Scope, receive: Receive, send: Send) -> None:
        method: str = scope["method"]
        refusal = self._access.refusal(method, scope["path"], _headers(scope))
        if refusal is not None:
            await self._refuse(refusal, scope, send, "http")
            return
        if self._job_routes.takes(scope):
            await self._job_routes(scope, receive, send)
            return
        wsgi: Any = self._reads if method in SAFE_METHODS else self._writes
        await wsgi(scope, receive, send)

    async def _serve_websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        refusal: Refusal | None = self._access.refusal(WEBSOCKET, scope["path"], _headers(scope))
        if refusal is None and self._sockets >= self._limits.max_websockets:
            count = self._limits.max_websockets
            self._engine.note_turned_away("websockets")
            refusal = OverloadedError(f"{count} WebSockets are open already (--max-websockets).")
        if refusal is not None:
            await self._refuse(refusal, scope, send, "websocket.http")
            return
        self._sockets += 1
        try:
            offered = SUBPROTOCOL in scope.get("subprotocols", ())
            chosen = SUBPROTOCOL if offered else None
            if scope["path"] == "/ui/watch":
                await self._watch.serve(scope, receive, send, chosen)
            elif scope["path"] == "/":
                # Nobody reads them again, and ten thousand connections would keep theirs for hours.
                scope["headers"].clear()
                await self._serve_jobs(receive, send, chosen)
            else:
                await send({"type": "websocket.close", "code": 1008})
        finally:
            self._sockets -= 1

    async def _serve_jobs(self, receive: Receive, send: Send, subprotocol: str | None) -> None:
        await send({"type": "websocket.accept", "subprotocol": subprotocol})
        jobs = JobConnection(
            self._engine, self._used_ids, self._pool.run, send, self._limits.max_websocket_jobs
        )
        await jobs.serve(receive, self._limits.websocket_idle_s)

    async def _refuse(self, error: Refusal, scope: Scope, send: Send, kind: str) -> None:
        if isinstance(error, RefusedError):
            self._engine.note_turned_away(error.reason)
        response = exchange.failure(error)
        asked = _headers(scope)
        lines = {**self.hot.cors(asked.get("origin")), HEADER: request_id(asked)}
        headers = [
            *response.headers.items(),
            *lines.items(),
            ("Content-Length", len(response.body)),
        ]
        start = {
            "type": f"{kind}.response.start",
            "status": response.status,
            "headers": [
                (name.lower().encode(), str(value).encode("latin1")) for name, value in headers
            ],
        }
        await send(start)
        await send({"type": f"{kind}.response.body", "body": response.body})


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin1"): value.decode("latin1") for name, value in scope["headers"]}


def _with_chunked_bodies(app: Flask) -> Callable[..., Iterable[bytes]]:
    """The app, told that a body ends where its stream ends; without that Flask takes a chunked one for empty."""

    def wsgi(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ["wsgi.input_terminated"] = True
        return app(environ, start_response)

    return wsgi
