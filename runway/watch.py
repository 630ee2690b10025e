"""The workspace's source "from network": pages see the last call that reached the model while they listen.

An engine's `watch` is None until a page connects to the WebSocket `ui/watch`, so calls cost nothing more. Only the last
call of a page's command is kept, as the objects that answer it; it becomes JSON when the page is ready for it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import orjson

from runway import exchange
from runway.access import is_foreign_page
from runway.engine import Engine

Message = MutableMapping[str, Any]
MAX_BYTES = 32 << 20  # of inputs and outputs together; a page of pictures gains nothing from more


@dataclass(slots=True)
class Seen:
    """A call that was accepted, with its newest output once there is one."""

    call: exchange.Call
    number: int
    began: float
    outputs: bytes | None = None
    ms: float | None = None

    def text(self) -> str:
        """What the page is sent."""
        message: dict[str, Any] = {"number": self.number, "ms": self.ms, "inputs": self.call.given}
        if self.outputs is not None:
            message["outputs"] = orjson.Fragment(self.outputs)
        text = exchange.dumps(message)
        if len(text) > MAX_BYTES:
            text = exchange.dumps({"number": self.number, "ms": self.ms, "isTooLarge": True})
        return text.decode()


class Watch:
    """The pages that listen; `hear` may be called in any thread, the rest belongs to the event loop."""

    def __init__(self, engine: Engine, in_thread: Callable[..., Awaitable[Any]]) -> None:
        self._engine = engine
        self._in_thread = in_thread
        self._pages: set[_Page] = set()
        self._count = 0

    async def serve(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
        subprotocol: str | None = None,
    ) -> None:
        """Send a page the last call of its command, each time after it asked for the next."""
        if not _is_own_page(scope):
            await send({"type": "websocket.close", "code": 1008})
            return
        await send({"type": "websocket.accept", "subprotocol": subprotocol})
        query = parse_qs(scope.get("query_string", b"").decode("latin1"))
        page = _Page(query.get("command", [""])[0], asyncio.get_running_loop())
        self._pages.add(page)
        self._engine.watch = self.hear
        sender = asyncio.get_running_loop().create_task(self._feed(page, send))
        try:
            while (await receive())["type"] != "websocket.disconnect":
                page.is_ready.set()
        finally:
            self._pages.discard(page)
            if not self._pages:
                self._engine.watch = None
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)

    def hear(self, call: exchange.Call, outputs: bytes | None) -> None:
        """A call was accepted, or, with `outputs`, gave its JSON object of outputs."""
        for page in list(self._pages):
            if page.command != call.command.name:
                continue
            seen = page.last
            if outputs is None:
                self._count += 1
                page.last = Seen(call, self._count, time.monotonic())
            elif seen is not None and seen.call is call:
                ms = (time.monotonic() - seen.began) * 1000
                page.last = Seen(call, seen.number, seen.began, outputs, ms)
            else:
                continue  # a newer call is shown already
            page.loop.call_soon_threadsafe(page.has_news.set)

    async def _feed(self, page: _Page, send: Callable[[Message], Awaitable[None]]) -> None:
        while True:
            await page.has_news.wait()
            await page.is_ready.wait()
            page.has_news.clear()
            seen = page.last
            if seen is None or seen is page.shown:
                continue  # its outputs came before the news of its inputs were looked at
            page.shown = seen
            page.is_ready.clear()
            await send({"type": "websocket.send", "text": await self._in_thread(seen.text)})


class _Page:
    def __init__(self, command: str, loop: asyncio.AbstractEventLoop) -> None:
        self.command = command
        self.loop = loop
        self.last: Seen | None = None
        self.shown: Seen | None = None
        self.has_news = asyncio.Event()
        self.is_ready = asyncio.Event()
        self.is_ready.set()


def _is_own_page(scope: Message) -> bool:
    """Whether a page of this very server opened the socket; nobody else is told what clients send."""
    pairs: list[tuple[bytes, bytes]] = scope["headers"]
    headers = {name.decode("latin1"): value.decode("latin1") for name, value in pairs}
    return "origin" in headers and not is_foreign_page(headers)
