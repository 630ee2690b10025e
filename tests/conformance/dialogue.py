"""Play a WebSocket dialogue: messages sent, received in order or in any order, silences."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import websocket

from tests.conformance.exchanges import Names, check_http
from tests.conformance.fixtures import expand
from tests.conformance.matching import match, short
from tests.conformance.pictures import Mismatch

Step = dict[str, Any]


class Dialogue:
    """The connections of one case, opened when a step first names them; a context manager."""

    def __init__(self, port: int, names: Names, timeout_s: float) -> None:
        self.port = port
        self.names = dict(names)
        self.timeout_s = timeout_s
        self.connections: dict[str, websocket.WebSocket] = {}
        self.actions: dict[str, Callable[[Step], None]] = {
            "send": lambda step: self.connection(step).send(json.dumps(self.fill(step["send"]))),
            "send_text": lambda step: self.connection(step).send(step["send_text"]),
            "recv": self.receive_one,
            "recv_unordered": self.receive_unordered,
            "silence": self.expect_silence,
            "sleep": lambda step: time.sleep(step["sleep"]),
            "close": lambda step: self.connections.pop(step.get("conn", "a")).close(),
            "http": lambda step: check_http(port, step["http"], self.names, timeout_s),
        }

    def __enter__(self) -> Dialogue:
        return self

    def __exit__(self, *failure: object) -> None:
        for connection in self.connections.values():
            connection.shutdown()

    def fill(self, value: Any) -> Any:
        return expand(value, self.names)

    def connection(self, step: Step) -> websocket.WebSocket:
        key = step.get("conn", "a")
        if key not in self.connections:
            url = f"ws://127.0.0.1:{self.port}/"
            self.connections[key] = websocket.create_connection(url, timeout=self.timeout_s)
        return self.connections[key]

    def receive(self, step: Step) -> Any:
        """The next message of a connection, parsed."""
        timeout_s = step.get("timeout", self.timeout_s)
        connection = self.connection(step)
        connection.settimeout(timeout_s)
        try:
            text = connection.recv()
        except websocket.WebSocketTimeoutException as err:
            raise Mismatch(f"nothing received in {timeout_s} s") from err
        if not text:
            raise Mismatch("closed by the server")
        return json.loads(text)

    def receive_one(self, step: Step) -> None:
        got = self.receive(step)
        match(self.fill(step["recv"]), got)
        if "save_id" in step:
            self.names[step["save_id"]] = got["id"]

    def receive_unordered(self, step: Step) -> None:
        pending = [self.fill(want) for want in step["recv_unordered"]]
        while pending:
            got = self.receive(step)
            for want in pending:
                try:
                    match(want, got)
                except Mismatch:
                    continue
                pending.remove(want)
                break
            else:
                raise Mismatch(f"unexpected message {short(got)}")

    def expect_silence(self, step: Step) -> None:
        connection = self.connection(step)
        connection.settimeout(step["silence"])
        try:
            text = connection.recv()
        except websocket.WebSocketTimeoutException:
            return
        raise Mismatch(f"expected silence, got {text[:120]!r}")

    def play(self, step: Step) -> None:
        for key, action in self.actions.items():
            if key in step:
                return action(step)
        raise ValueError(f"unknown step: {step}")


def check_dialogue(port: int, steps: list[Step], names: Names, timeout_s: float) -> None:
    """Play the steps of a `ws` case.

    Raises:
        Mismatch: naming the step.
    """
    with Dialogue(port, names, timeout_s) as dialogue:
        for number, step in enumerate(steps):
            try:
                dialogue.play(step)
            except Mismatch as err:
                raise Mismatch(f"ws step {number}: {err}") from err
            except (websocket.WebSocketException, OSError) as err:
                raise Mismatch(f"ws step {number}: connection lost ({err!r})") from err
