"""The load: clients that ask one thing after the other, check every answer, and enter it in the ledger."""

from __future__ import annotations

import base64
import io
import json
import random
import threading
import time
import zlib
from collections.abc import Callable
from functools import partial

import numpy as np
from PIL import Image

from tests.chaos.ledger import LEFT, RIGHT, Entry, Ledger
from tests.chaos.wire import Answer, CutOffError, Wire, connected, head

ANSWER_S = 30.0  # far over every limit of the server; a request that takes so long was forgotten
SHARES = {"add": 88, "many": 8, "invert": 2, "fetch": 2}
LONG_TEXT = 20_000  # characters; from 16 KiB on a body is decoded in another thread
PICTURES = 8
KNOWN = {
    "disk full (503)": (503, "No space left"),
    "not now (503)": (503, ""),
    "worker lost (500)": (500, "Worker died"),
    "too late (504)": (504, "--command-timeout"),
}
BACK_OFF_S = 0.02  # a client that was refused or cut off does not come back at once


class Clients:
    """Threads that load a server until `stop`.

    Args:
        port: of the server.
        files: where `fetch` finds its files, as `http://127.0.0.1:1234`.
        seed: of what they ask, and in which order.
    """

    def __init__(self, port: int, files: str, ledger: Ledger, seed: int, count: int) -> None:
        self._port = port
        self._files = files
        self._ledger = ledger
        self._stopping = threading.Event()
        self._pictures = [picture(index) for index in range(PICTURES)]
        self._threads = [
            threading.Thread(target=self._ask_on, args=(f"{seed}-c{index}",))
            for index in range(count)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let every client get its last answer."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _ask_on(self, name: str) -> None:
        rng = random.Random(name)
        wire = Wire(self._port, ANSWER_S)
        number = 0
        while not self._stopping.is_set():
            number += 1
            command = rng.choices(list(SHARES), list(SHARES.values()))[0]
            if not ask(self._ledger, wire, command, *self._call(rng, command, f"{name}-{number}")):
                self._stopping.wait(BACK_OFF_S)
        wire.close()

    def _call(self, rng: random.Random, command: str, run: str) -> tuple[dict, Callable]:
        if command == "invert":
            data_uri, pixels = rng.choice(self._pictures)
            return {"id": run, "image": data_uri}, partial(is_inverse, pixels)
        if command == "fetch":
            length = rng.randrange(200_000)
            expected = zlib.crc32(content(run, length))
            given = {"id": run, "file": f"{self._files}/{run}/{length}"}
        else:
            data = run * rng.choice((1, 5, 50, LONG_TEXT // len(run) if rng.random() < 0.05 else 2))
            expected = zlib.crc32(data.encode())
            given = {"id": run, "data": data}
        return given, lambda body: body["sum"] == expected


def ask(
    ledger: Ledger, wire: Wire, command: str, given: dict, is_right: Callable[[dict], bool]
) -> bool:
    """Ask once and enter what came; True if that was the right answer."""
    run = given["id"]
    began = time.monotonic()
    try:
        kind, detail = judged(wire.post(f"/{command}", given, run), run, is_right)
    except CutOffError as error:
        kind, detail = "cut off", str(error)
    except TimeoutError:
        kind, detail = "no answer", f"for {ANSWER_S:g} s"
    except (AssertionError, ValueError, KeyError, TypeError, IndexError) as error:
        kind, detail = "not an answer", repr(error)
    ledger.add(Entry(run, command, began, time.monotonic(), kind, detail))
    return kind == RIGHT


def judged(answer: Answer, run: str, is_right: Callable[[dict], bool]) -> tuple[str, str]:
    """Kind and text of an answer."""
    body = json.loads(answer.body)
    if answer.headers["x-request-id"] != run:
        return "another's answer", f"{answer.headers['x-request-id']}: {body}"
    if answer.status == 200:
        is_own = body.get("id", run) == run
        return (RIGHT, "") if is_own and is_right(body) else ("wrong answer", str(body)[:300])
    said = body["error"]
    if answer.status == 503 and "retry-after" not in answer.headers:
        return "503 without Retry-After", said
    for kind, (status, words) in KNOWN.items():
        if answer.status == status and words in said:
            return kind, said
    return f"unexpected ({answer.status})", said


def picture(seed: int) -> tuple[str, np.ndarray]:
    """A PNG as a data URI, and its pixels; large enough for shared memory."""
    pixels = np.random.default_rng(seed).integers(0, 256, (128, 160, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode(), pixels


def is_inverse(pixels: np.ndarray, body: dict) -> bool:
    data = base64.b64decode(body["image"].partition(",")[2])
    return np.array_equal(np.asarray(Image.open(io.BytesIO(data))), 255 - pixels)


def content(run: str, length: int) -> bytes:
    """What the file server gives at `/run/length`."""
    return (run.encode() * (length // len(run) + 1))[:length]


def vanish(ledger: Ledger, port: int, run: str, rng: random.Random) -> None:
    """A client that leaves: in the middle of its body, or before its answer."""
    body = json.dumps({"id": run, "data": "x" * 100_000}).encode()
    sent = rng.choice((0, 1, 50_000, len(body)))
    began = time.monotonic()
    with connected(port) as wire:
        wire.sendall(head("POST", "/add", run, body) + body[:sent])
    ledger.add(Entry(run, "add", began, time.monotonic(), LEFT))
