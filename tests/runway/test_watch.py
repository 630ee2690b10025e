"""The feed of the workspace's "from network": what a page is told when news come faster than it looks."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace

from runway.watch import Watch

SCOPE = {
    "query_string": b"command=shout",
    "headers": [(b"origin", b"http://127.0.0.1:8000"), (b"host", b"127.0.0.1:8000")],
}


def call(word: str) -> SimpleNamespace:
    return SimpleNamespace(command=SimpleNamespace(name="shout"), given={"x": word})


async def at_once(function):
    return function()


async def told_of_two_calls() -> list[dict]:
    """What a page is sent when the outputs of a call come after its news and before the page looks at it."""
    engine = SimpleNamespace(watch=None)
    watch = Watch(engine, at_once)
    received: asyncio.Queue = asyncio.Queue()
    sent: asyncio.Queue = asyncio.Queue()
    page = asyncio.create_task(watch.serve(SCOPE, received.get, sent.put))
    assert (await sent.get())["type"] == "websocket.accept"
    while engine.watch is None:
        await asyncio.sleep(0)
    first = call("first")
    engine.watch(first, None)
    asyncio.get_running_loop().call_soon(engine.watch, first, b'{"y": 1}')

    messages = [json.loads((await sent.get())["text"])]
    await received.put({"type": "websocket.receive", "text": "next"})
    for _ in range(20):  # turns of the event loop, nothing else runs in it
        await asyncio.sleep(0)
    engine.watch(call("later"), None)
    messages.append(json.loads((await sent.get())["text"]))
    await received.put({"type": "websocket.disconnect"})
    await page
    return messages


def test_a_call_whose_outputs_came_before_the_page_looked_is_told_once():
    messages = asyncio.run(told_of_two_calls())

    assert [message["inputs"]["x"] for message in messages] == ["first", "later"]
    assert messages[0]["outputs"] == {"y": 1}
