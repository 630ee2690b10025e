"""The job messages of the protocol's WebSocket: submit, started, output, succeeded, failed, cancel, cancelled.

One `JobConnection` a socket, on the event loop that serves it. Jobs of a connection run at the same time.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
import uuid
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from functools import partial
from typing import Any

import orjson

from runway import exchange
from runway.engine import Cancel, Engine
from runway.exceptions import RunwayError
from runway.invocation import Output
from runway.request_ids import HEADER, request_id

REMEMBERED_IDS = (
    100_000  # an id that was ever used is ignored; memory for that has to end somewhere
)
PAGE_JOB = "ui-"  # how the workspace names its own jobs, which it need not be shown
LONG_ID = 64  # characters; of longer ids only a digest is kept
Message = MutableMapping[str, Any]


class UsedIds:
    """Job ids that were used on any connection of this server, the oldest forgotten first."""

    def __init__(self, limit: int = REMEMBERED_IDS) -> None:
        self._limit = limit
        self._ids: OrderedDict[str, None] = OrderedDict()

    def claim(self, job_id: str) -> bool:
        """Whether the id is new; from now on it is not."""
        if len(job_id) > LONG_ID:
            job_id = hashlib.sha256(job_id.encode("utf8", "surrogatepass")).hexdigest()
        if job_id in self._ids:
            return False
        self._ids[job_id] = None
        if len(self._ids) > self._limit:
            self._ids.popitem(last=False)
        return True


class JobConnection:
    """Runs the jobs that one WebSocket submits; all state is owned by the event loop."""

    def __init__(
        self,
        engine: Engine,
        used_ids: UsedIds,
        in_thread: Callable[[Callable[[], Any]], Awaitable[Any]],
        send: Callable[[Message], Awaitable[None]],
        max_jobs: int,
    ) -> None:
        self._engine = engine
        self._used_ids = used_ids
        self._in_thread = in_thread
        self._send_raw = send
        self._max_jobs = max_jobs
        self._active_at = 0.0
        self._idle_timer: asyncio.TimerHandle | None = None
        self._closing: asyncio.Task[None] | None = None
        self._jobs: dict[str, asyncio.Task[None]] = {}
        self._order = (
            asyncio.Lock()
        )  # jobs are queued in the order they came, however long decoding takes

    async def serve(
        self, receive: Callable[[], Awaitable[Message]], idle_s: float | None = None
    ) -> None:
        """Take messages until the client leaves or does nothing for `idle_s`, then stop the jobs that still run."""
        if idle_s is not None:
            self._watch(idle_s)
        try:
            # no name for a message: the last one would be kept until the next comes
            while await self._take(await receive()):
                pass
        finally:
            if self._idle_timer is not None:
                self._idle_timer.cancel()
            for job in list(self._jobs.values()):
                job.cancel()
            await asyncio.gather(*self._jobs.values(), return_exceptions=True)

    def _watch(self, idle_s: float) -> None:
        """Close the connection if nothing happened for `idle_s`, else look again when that may be so."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        if self._jobs or not self._active_at:
            self._active_at = now
        left_s = self._active_at + idle_s - now
        if left_s > 0:
            self._idle_timer = loop.call_later(left_s, self._watch, idle_s)
            return
        reason = f"idle for {idle_s:g} s (--websocket-idle-timeout)"
        close = {"type": "websocket.close", "code": 1001, "reason": reason}
        self._closing = loop.create_task(_sent(self._send_raw(close)))

    async def _take(self, event: Message) -> bool:
        """Do what a message of the client asks for; whether another may come."""
        if event["type"] == "websocket.disconnect":
            return False
        self._active_at = asyncio.get_running_loop().time()
        try:
            message = orjson.loads(event.get("text") or event.get("bytes") or "")
        except orjson.JSONDecodeError:
            return True
        if not isinstance(message, dict):
            return True
        if message.get("type") == "submit":
            await self._submit(message)
        elif message.get("type") == "cancel" and isinstance(message.get("id"), str):
            await self._cancel(message["id"])
        return True

    async def _submit(self, message: dict[str, Any]) -> None:
        job_id = message.get("id", uuid.uuid4().hex)
        if not isinstance(job_id, str):
            return
        is_complete = isinstance(message.get("command"), str) and isinstance(
            message.get("inputData"), dict
        )
        if not is_complete and "id" not in message:
            return
        if not self._used_ids.claim(job_id):
            return
        self._engine.note_command()
        await self._send(job_id, "started")
        if len(self._jobs) >= self._max_jobs:
            error = (
                f"{self._max_jobs} jobs of this connection are unfinished (--max-websocket-jobs)."
            )
            await self._send(job_id, "failed", error=error, traceback=[])
            return
        job = asyncio.get_running_loop().create_task(self._run(job_id, message))
        self._jobs[job_id] = job
        job.add_done_callback(lambda _: self._jobs.pop(job_id, None))

    async def _cancel(self, job_id: str) -> None:
        job = self._jobs.pop(job_id, None)
        if job is None:
            return
        job.cancel()
        await asyncio.gather(job, return_exceptions=True)
        await self._send(job_id, "cancelled")

    async def _run(self, job_id: str, message: dict[str, Any]) -> None:
        began = time.monotonic()
        cancel: Cancel | None = None
        own_id = request_id({HEADER: job_id})
        try:
            call = self._open(message)
            del message  # a picture's is large, and the call may wait for long
            call.request_id = own_id
            events: asyncio.Queue[Output | RunwayError] = asyncio.Queue()
            loop = asyncio.get_running_loop()

            def relay(event: Output | RunwayError) -> None:
                loop.call_soon_threadsafe(events.put_nowait, event)

            async with self._order:
                try:
                    invocation = await self._in_thread(call.decode)
                except RunwayError as error:
                    self._engine.note_refused(call.command.name, error.code)
                    raise
                is_shown = self._engine.watch is not None and not job_id.startswith(PAGE_JOB)
                if is_shown:
                    self._engine.note_command(call)
                else:
                    call.given = None
                cancel = self._engine.submit(invocation, relay)
            while (output := await _next(events)).value is not None:
                data = await self._in_thread(partial(call.written, output))
                if is_shown and self._engine.watch is not None:
                    self._engine.watch(call, data)
                progress = {} if output.progress is None else {"progress": output.progress}
                fragment = orjson.Fragment(data)
                await self._send(job_id, "output", outputData=fragment, **progress)
                if output.final:
                    break
            cancel = None
            elapsed = round((time.monotonic() - began) * 1000)
            await self._send(job_id, "succeeded", timeElapsed=elapsed)
        except RunwayError as error:
            cancel = None
            body = exchange.failure_body(error, own_id)
            await self._send(
                job_id, "failed", error=body["error"], traceback=body.get("traceback", [])
            )
        finally:
            if cancel is not None:
                cancel()

    def _open(self, message: dict[str, Any]) -> exchange.Call:
        name, given = message.get("command"), message.get("inputData")
        if not isinstance(name, str) or not isinstance(given, dict):
            raise exchange.BadBodyError("A submit message needs a command and an object inputData")
        command = self._engine.manifest.command(name)
        return exchange.Call(command, given, {}, is_stream=True)

    async def _send(self, job_id: str, kind: str, **fields: Any) -> None:
        text = exchange.dumps({"type": kind, "id": job_id, **fields}).decode()
        await self._send_raw({"type": "websocket.send", "text": text})


async def _sent(message: Awaitable[None]) -> None:
    await message


async def _next(events: asyncio.Queue[Output | RunwayError]) -> Output:
    event = await events.get()
    if isinstance(event, RunwayError):
        raise event
    return event
