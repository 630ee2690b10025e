"""HTTP for jobs: `Prefer: respond-async` and `Accept: text/event-stream` on a command, and `/jobs/<id>`.

Runs as ASGI on the event loop; a follower takes no thread, however long it stays.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import suppress
from typing import Any

from flask import Flask
from flask_cors.core import get_cors_headers, get_cors_options
from werkzeug.datastructures import Headers

from runway import exchange
from runway.app import HTTP_ERRORS
from runway.codec_pool import CodecPool
from runway.exceptions import RunwayError
from runway.hot_commands import HotCommands
from runway.job import Job, JobEvent
from runway.jobs import JobPolicy, Jobs
from runway.limits import OverloadedError
from runway.preferences import EVENT_STREAM, is_plain, wants_job
from runway.request_ids import HEADER, request_id

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

PING_S = 15.0  # between comments on a silent stream: proxies close connections that say nothing
METHODS = "GET, HEAD, OPTIONS"


class ClientLeftError(Exception):
    """The client is gone before its request was whole."""


class JobRoutes:
    """The routes of one server's jobs.

    Args:
        app: the Flask app, whose CORS headers count here too. A script's own routes under `/jobs/` go before these.
        hot: says which requests are calls of a command.
        pool: threads for codec work.
    """

    def __init__(self, app: Flask, hot: HotCommands, pool: CodecPool, policy: JobPolicy) -> None:
        self._hot = hot
        self._pool = pool
        self._jobs = Jobs(hot.engine, pool.run, policy)
        self._cors_options = get_cors_options(app)
        self._compress_min_bytes = hot.compress_min_bytes
        urls = app.url_map.bind("")
        self._is_taken = any(urls.test(path, "GET") for path in ("/jobs/x", "/jobs/x/events"))

    def takes(self, scope: Scope) -> bool:
        """Whether a request is for these routes."""
        if scope["method"] == "POST":
            if self._hot.command_at(_raw_path(scope)) is None:
                return False
            return not is_plain(_headers(scope))
        return not self._is_taken and _job_path(scope) is not None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request that `takes` said yes to."""
        headers = _headers(scope)
        answer = _Answer(self, scope["method"], headers, send)
        try:
            if scope["method"] == "POST":
                await self._submit(scope, headers, receive, answer)
            else:
                await self._serve_job(scope, receive, answer)
        except RunwayError as error:
            await answer.send(exchange.failure(error, answer.request_id))
        except ClientLeftError:
            pass

    async def _submit(
        self, scope: Scope, headers: dict[str, str], receive: Receive, answer: _Answer
    ) -> None:
        command = self._hot.command_at(_raw_path(scope))
        assert command is not None
        is_kept = wants_job(headers)
        limit = self._hot.max_body_bytes
        with _Held(self._hot) as held:
            try:
                body = await _read_body(headers, receive, limit, held)
            except RunwayError as error:
                self._hot.engine.note_refused(command.name, error.code)
                raise
            job = await self._jobs.submit(
                command.name,
                headers,
                body,
                answer.request_id,
                keep=is_kept,
                max_body_bytes=limit,
            )
        if is_kept:
            accepted = {"Location": f"jobs/{job.id}", "Preference-Applied": "respond-async"}
            await answer.send(
                exchange.Response(202, job.to_json(), {**exchange.JSON_HEADERS, **accepted})
            )
        else:
            try:
                await answer.stream(job, receive)
            finally:
                job.cancel()

    async def _serve_job(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        path = _job_path(scope)
        assert path is not None
        job_id, is_events = path
        method = scope["method"]
        allowed = METHODS if is_events else f"{METHODS}, DELETE"
        if method == "OPTIONS":
            await answer.send(exchange.Response(200, b"", {"Allow": allowed}))
            return
        if method not in allowed.split(", "):
            refused = exchange.answer({"error": HTTP_ERRORS[405]}, 405)
            await answer.send(
                exchange.Response(405, refused.body, {**refused.headers, "Allow": allowed})
            )
            return
        job = self._jobs.find(job_id)
        if job is None:
            text = f"There is no job {job_id!r}: it never was, or it ended and is forgotten."
            await answer.send(exchange.answer({"error": text}, 404))
        elif method == "DELETE":
            self._jobs.remove(job)
            await answer.send(exchange.Response(204, b"", {}))
        elif is_events:
            await answer.stream(job, receive)
        else:
            shown = exchange.Response(200, job.to_json(), exchange.JSON_HEADERS)
            await answer.send(shown)

    def cors_headers(self, headers: Mapping[str, str], method: str) -> dict[str, str]:
        """The cross-origin headers of an answer."""
        found = get_cors_headers(self._cors_options, Headers(dict(headers)), method)
        return {name: str(value) for name, value in found.items()}

    async def compressed(self, response: exchange.Response, accepted: str) -> exchange.Response:
        """The response as the client wants it."""
        small = self._compress_min_bytes
        if len(response.body) < small:
            return response
        shrunk: exchange.Response = await self._pool.run(
            lambda: exchange.compressed(response, accepted, small)
        )
        return shrunk


class _Answer:
    """What one request is sent."""

    def __init__(
        self, routes: JobRoutes, method: str, headers: Mapping[str, str], send: Send
    ) -> None:
        self._routes = routes
        self._method = method
        self._headers = headers
        self._send = send
        self.request_id = request_id(headers)

    async def send(self, response: exchange.Response) -> None:
        """A whole response."""
        accepted = self._headers.get("accept-encoding", "")
        response = await self._routes.compressed(response, accepted)
        size = {} if response.status == 204 else {"Content-Length": str(len(response.body))}
        await self._begin(response.status, {**response.headers, **size})
        body = b"" if self._method == "HEAD" else response.body
        await self._send({"type": "http.response.body", "body": body})

    async def stream(self, job: Job, receive: Receive) -> None:
        """The events of a job until it ends or the client leaves."""
        headers = {"Content-Type": EVENT_STREAM, "Cache-Control": "no-cache"}
        await self._begin(200, {**headers, "X-Accel-Buffering": "no"})
        if self._method == "HEAD":
            await self._send({"type": "http.response.body"})
            return
        events = job.follow()
        loop = asyncio.get_running_loop()
        pouring = loop.create_task(self._pour(events))
        leaving = loop.create_task(_until_client_leaves(receive))
        try:
            await asyncio.wait({pouring, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            job.leave(events)
            pouring.cancel()
            leaving.cancel()
            await asyncio.gather(pouring, leaving, return_exceptions=True)

    async def _pour(self, events: asyncio.Queue[JobEvent]) -> None:
        is_over = False
        while not is_over:
            text = b":\n\n"
            with suppress(asyncio.TimeoutError):
                event = await asyncio.wait_for(events.get(), PING_S)
                text = b"event: %s\ndata: %s\n\n" % (event.kind.encode(), event.text)
                is_over = event.kind != "output"
            await self._send({"type": "http.response.body", "body": text, "more_body": True})
        await self._send({"type": "http.response.body"})

    async def _begin(self, status: int, headers: Mapping[str, str]) -> None:
        cors = self._routes.cors_headers(self._headers, self._method)
        raw = [
            (name.lower().encode("latin1"), value.encode("latin1"))
            for name, value in {**headers, **cors, HEADER: self.request_id}.items()
        ]
        await self._send({"type": "http.response.start", "status": status, "headers": raw})


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin1"): value.decode("latin1") for name, value in scope["headers"]}


def _raw_path(scope: Scope) -> bytes:
    raw: bytes = scope["raw_path"]
    return raw


def _job_path(scope: Scope) -> tuple[str, bool] | None:
    """Job id, and whether its events are meant, of `/jobs/<id>` and `/jobs/<id>/events`."""
    parts = scope["path"].split("/")
    if parts[:2] != ["", "jobs"] or len(parts) not in (3, 4) or not parts[2]:
        return None
    if len(parts) == 4 and parts[3] != "events":
        return None
    return parts[2], len(parts) == 4


class _Held:
    """The bytes of a body, counted with those of all other requests while it is read and decoded."""

    def __init__(self, hot: HotCommands) -> None:
        self._hot = hot
        self._count = 0

    def __enter__(self) -> _Held:
        return self

    def __exit__(self, *_: object) -> None:
        self._hot.pending.give_back(self._count)

    def grow(self, count: int) -> None:
        """So many bytes more. Raises `OverloadedError` (503) when all requests together hold too much."""
        try:
            self._hot.pending.take(count)
        except OverloadedError:
            self._hot.engine.note_turned_away("pending_bytes")
            raise
        self._count += count


async def _read_body(
    headers: Mapping[str, str], receive: Receive, limit: int, held: _Held
) -> bytes:
    """The whole body.

    Raises:
        BadBodyError: it is too long (413).
        OverloadedError: all requests together hold too much (503).
        ClientLeftError: it never came to its end.
    """
    declared = headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise exchange.body_too_large(limit)
    parts, size, has_more = [], 0, True
    while has_more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientLeftError
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        held.grow(len(parts[-1]))
        if size > limit:
            raise exchange.body_too_large(limit)
        has_more = message.get("more_body", False)
    return b"".join(parts)


async def _until_client_leaves(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
