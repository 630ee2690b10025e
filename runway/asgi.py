"""The ASGI callable that servers run: WebSockets and jobs on the event loop, other HTTP by the Flask app in threads.

Plain calls never come here: `runway.http_protocol` takes them to `runway.hot` before there is an ASGI scope.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from a2wsgi import WSGIMiddleware
from flask import Flask

from runway.codec_pool import CodecPool
from runway.engine import Engine
from runway.hot import HotCommands
from runway.job_routes import JobRoutes
from runway.jobs import JobPolicy
from runway.watch import Watch
from runway.websocket import JobConnection, UsedIds

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

CODEC_THREADS = max(2, min(8, os.cpu_count() or 2))
FLASK_THREADS = 16


class RunwayASGI:
    """ASGI application over a Flask app and an engine; owned by one event loop. `hot` answers `POST /<command>`."""

    def __init__(self, app: Flask, engine: Engine, jobs: JobPolicy | None = None) -> None:
        self._engine = engine
        self._wsgi = WSGIMiddleware(app, workers=FLASK_THREADS)  # type: ignore[arg-type]
        self._pool = CodecPool(CODEC_THREADS)
        self._used_ids = UsedIds()
        self.hot = HotCommands(app, engine, self._pool)
        self._watch = Watch(engine, self._pool.run)
        self._job_routes = JobRoutes(app, self.hot, self._pool, jobs or JobPolicy())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection scope."""
        if scope["type"] == "http":
            if self._job_routes.takes(scope):
                await self._job_routes(scope, receive, send)
            else:
                await self._wsgi(scope, receive, send)  # type: ignore[arg-type]
        elif scope["type"] == "websocket":
            await self._serve_websocket(scope, receive, send)

    async def _serve_websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        if scope["path"] == "/ui/watch":
            await self._watch.serve(scope, receive, send)
            return
        if scope["path"] != "/":
            await send({"type": "websocket.close", "code": 1008})
            return
        await send({"type": "websocket.accept"})
        await JobConnection(self._engine, self._used_ids, self._pool.run, send).serve(receive)
