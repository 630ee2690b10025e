"""A plain HTTP client that notices what others hide: an answer too many, and an answer that is cut off."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass

CONNECT_S = 10.0  # a front that starts again leaves new connections in the backlog for a while


class CutOffError(Exception):
    """The connection ended before the answer was there."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


class Wire:
    """One kept connection; opens anew when the last answer ended it, or there was none.

    Raises:
        CutOffError: from `post`, when the server hung up.
        TimeoutError: from `post`, when nothing came for `timeout_s`.
        AssertionError: from `post`, when bytes came that nobody asked for.
    """

    def __init__(self, port: int, timeout_s: float) -> None:
        self._port = port
        self._timeout_s = timeout_s
        self._socket: socket.socket | None = None

    def post(self, path: str, value: object, run: str) -> Answer:
        """The answer to a JSON body; `run` goes along as the request's id."""
        return self.send(head("POST", path, run, body := json.dumps(value).encode()) + body)

    def get(self, path: str) -> Answer:
        return self.send(head("GET", path, "", b""))

    def send(self, request: bytes) -> Answer:
        try:
            if self._socket is None:
                self._socket = connected(self._port)
                self._socket.settimeout(self._timeout_s)
            self._socket.sendall(request)
            answer, rest = received(self._socket)
        except TimeoutError:
            self.close()
            raise
        except (OSError, CutOffError) as error:
            self.close()
            raise CutOffError(repr(error)) from error
        assert not rest, f"bytes after an answer: {rest[:200]!r}"
        if answer.headers.get("connection") == "close":
            self.close()
        return answer

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=CONNECT_S)


def head(method: str, path: str, run: str, body: bytes) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
    if run:
        lines += ["Content-Type: application/json", f"X-Request-Id: {run}"]
        lines += ["X-Runway-Output-Format: image=PNG"] if path == "/invert" else []
    return "\r\n".join([*lines, "", ""]).encode()


def received(wire: socket.socket) -> tuple[Answer, bytes]:
    """One answer, and what came behind it."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += part_of(wire)
    first, _, rest = data.partition(b"\r\n\r\n")
    status, *lines = first.decode("latin1").split("\r\n")
    pairs = (line.split(": ", 1) for line in lines)
    headers = {name.lower(): value for name, value in pairs}
    length = int(headers["content-length"])
    while len(rest) < length:
        rest += part_of(wire)
    return Answer(int(status.split()[1]), headers, rest[:length]), rest[length:]


def part_of(wire: socket.socket) -> bytes:
    part = wire.recv(1 << 18)
    if not part:
        raise CutOffError("the server hung up")
    return part
