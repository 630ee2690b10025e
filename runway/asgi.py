"""The ASGI callable that servers run: hot routes answered on the event loop, the rest by the Flask app in threads.

Hot are `POST /<command>` of a declared command and WebSockets at `/`. Codec work runs in a small thread pool.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeVar

from a2wsgi import WSGIMiddleware
from flask import Flask
from flask_cors.core import get_cors_headers, get_cors_options
from werkzeug.datastructures import Headers

from runway import exchange
from runway.app import HTTP_ERRORS
from runway.codec_pool import CodecPool
from runway.engine import Engine
from runway.exceptions import RunwayError
from runway.execution import Invocation, Output
from runway.websocket import JobConnection, UsedIds

logger = logging.getLogger(__name__)
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
T = TypeVar("T")

INLINE_BODY_BYTES = 16_384  # below this, parsing costs less than the hop to a thread
WATCH_AFTER_S = 0.05  # a client can only be seen to leave by waiting; short calls are not worth it
CODEC_THREADS = max(2, min(8, os.cpu_count() or 2))
FLASK_THREADS = 16
HEADERS_READ = frozenset(
    {b"content-length", b"content-encoding", b"accept-encoding", b"x-runway-output-format"}
)


class ClientGoneError(Exception):
    """The client closed its connection before the answer."""


class RunwayASGI:
    """ASGI application over a Flask app and an engine; owned by one event loop."""

    def __init__(self, app: Flask, engine: Engine) -> None:
        self._app = app
        self._engine = engine
        self._wsgi = WSGIMiddleware(app, workers=FLASK_THREADS)  # type: ignore[arg-type]
        self.in_thread = CodecPool(CODEC_THREADS).run
        self._used_ids = UsedIds()
        self._only_flask = _has_own_hooks(app)
        cors = get_cors_headers(get_cors_options(app), Headers(), "POST")
        self._fixed_headers = [(k.lower().encode(), str(v).encode()) for k, v in cors.items()]
        self._waiting = Waiting()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection scope."""
        if scope["type"] == "http":
            if scope["method"] == "POST" and self._is_hot(scope["path"]):
                await self._serve_command(scope, receive, send)
            else:
                await self._wsgi(scope, receive, send)  # type: ignore[arg-type]
        elif scope["type"] == "websocket":
            await self._serve_websocket(scope, receive, send)

    def _is_hot(self, path: str) -> bool:
        if self._only_flask:
            return False
        try:
            return path[1:] in self._engine.manifest.commands
        except RunwayError:
            return False

    async def _serve_command(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {
            key.decode("latin1"): value.decode("latin1")
            for key, value in scope["headers"]
            if key in HEADERS_READ
        }
        name = scope["path"][1:]
        try:
            response = await self._answer(name, headers, receive)
        except ClientGoneError:
            return
        except RunwayError as error:
            response = exchange.failure(error)
        except Exception:
            logger.exception("POST /%s failed", name)
            response = exchange.answer({"error": HTTP_ERRORS[500]}, 500)
        if len(response.body) >= self._app.config["COMPRESS_MIN_SIZE"]:
            response = await self._compressed(response, headers.get("accept-encoding", ""))
        raw = [(key.lower().encode(), value.encode()) for key, value in response.headers.items()]
        raw += self._fixed_headers
        raw.append((b"content-length", b"%d" % len(response.body)))
        await send({"type": "http.response.start", "status": response.status, "headers": raw})
        await send({"type": "http.response.body", "body": response.body})

    async def _answer(
        self, name: str, headers: dict[str, str], receive: Receive
    ) -> exchange.Response:
        body = await read_body(headers, receive)
        command = self._engine.manifest.commands[name]
        is_small = len(body) < INLINE_BODY_BYTES and "content-encoding" not in headers

        def decode() -> tuple[exchange.Call, Invocation]:
            call = exchange.open_call(self._engine.manifest, name, headers, body)
            return call, call.decode()

        if is_small and not command.inputs.is_bulky:
            call, invocation = decode()
        else:
            call, invocation = await self.in_thread(decode)
        self._engine.note_command()
        output = await self._run(invocation, receive)
        if not command.outputs.is_bulky and not exchange.is_large(output.value):
            return exchange.answer(call.encode(output))
        return await self.in_thread(lambda: exchange.answer(call.encode(output)))

    async def _run(self, invocation: Invocation, receive: Receive) -> Output:
        """The final output; cancels the call when the client leaves."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Output] = loop.create_future()

        def settle(event: Output | RunwayError) -> None:
            if future.done():
                return
            if isinstance(event, RunwayError):
                future.set_exception(event)
            else:
                future.set_result(event)

        cancel = self._engine.submit(invocation, on_loop(loop, settle))
        self._waiting.add(loop, future, receive)
        try:
            return await future
        except (ClientGoneError, asyncio.CancelledError):
            cancel()
            raise
        finally:
            self._waiting.remove(future)

    async def _compressed(
        self, response: exchange.Response, accept_encoding: str
    ) -> exchange.Response:
        minimum = self._app.config["COMPRESS_MIN_SIZE"]
        if len(response.body) < INLINE_BODY_BYTES or not exchange.accepts_gzip(accept_encoding):
            return exchange.compressed(response, accept_encoding, minimum)
        return await self.in_thread(lambda: exchange.compressed(response, accept_encoding, minimum))

    async def _serve_websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        if scope["path"] != "/":
            await send({"type": "websocket.close", "code": 1008})
            return
        await send({"type": "websocket.accept"})
        await JobConnection(self._engine, self._used_ids, self.in_thread, send).serve(receive)


def on_loop(
    loop: asyncio.AbstractEventLoop, listener: Callable[[Output | RunwayError], None]
) -> Callable[[Output | RunwayError], None]:
    """A listener for any thread that calls `listener` on the loop, at once if it is there already."""

    def relay(event: Output | RunwayError) -> None:
        if asyncio._get_running_loop() is loop:
            listener(event)
        else:
            loop.call_soon_threadsafe(listener, event)

    return relay


async def read_body(headers: dict[str, str], receive: Receive) -> bytes:
    """The whole body of a request.

    Raises:
        BadBodyError: 413, it is longer than the limit.
        ClientGoneError: the client left before its end.
    """
    limit = exchange.MAX_BODY_BYTES
    chunks: list[bytes] = []
    size = 0
    declared = headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        if not message.get("more_body", False):
            return b"".join([*chunks, chunk]) if chunks else chunk
        chunks.append(chunk)


def _too_large(limit: int) -> exchange.BadBodyError:
    return exchange.BadBodyError(f"The body is larger than {limit} bytes", 413)


class Waiting:
    """The calls that wait for their answer; those that wait long are watched for clients that leave.

    To see a client leave costs a task that waits for it, which short calls are spared.
    """

    def __init__(self) -> None:
        self._fresh: dict[asyncio.Future[Output], Receive] = {}
        self._seen: dict[asyncio.Future[Output], Receive] = {}
        self._watchers: dict[asyncio.Future[Output], asyncio.Task[None]] = {}
        self._is_sweeping = False

    def add(
        self, loop: asyncio.AbstractEventLoop, future: asyncio.Future[Output], receive: Receive
    ) -> None:
        """A call began to wait."""
        self._fresh[future] = receive
        if not self._is_sweeping:
            self._is_sweeping = True
            loop.call_later(WATCH_AFTER_S, self._sweep, loop)

    def remove(self, future: asyncio.Future[Output]) -> None:
        """A call waits no more."""
        if self._fresh.pop(future, None) is None and self._seen.pop(future, None) is None:
            watcher = self._watchers.pop(future, None)
            if watcher is not None:
                watcher.cancel()

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        for future, receive in self._seen.items():
            self._watchers[future] = loop.create_task(_until_gone(receive, future))
        self._seen, self._fresh = self._fresh, {}
        self._is_sweeping = bool(self._seen)
        if self._is_sweeping:
            loop.call_later(WATCH_AFTER_S, self._sweep, loop)


async def _until_gone(receive: Receive, future: asyncio.Future[Output]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    if not future.done():
        future.set_exception(ClientGoneError())


def _has_own_hooks(app: Flask) -> bool:
    """Whether the script added request hooks to the app: then every request must pass through Flask."""
    after = [
        hook
        for hooks in app.after_request_funcs.values()
        for hook in hooks
        if not hook.__module__.startswith(("runway.", "flask_cors."))
    ]
    return bool(app.before_request_funcs or after or app.teardown_request_funcs)
