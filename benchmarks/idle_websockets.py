"""What idle WebSockets cost: memory of the front, and whether HTTP requests are refused while they are open.

    python -m benchmarks.idle_websockets               # 10,000 of them
    python -m benchmarks.idle_websockets --json

Memory is what the front holds of its own and its part of shared memory, as in `benchmarks.memory`.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import http.client
import json
import os
import resource
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from benchmarks.memory import held_bytes, process_names
from benchmarks.serving import ECHO, VECTOR_BODY, served, written

CALLS = 2000
SPARE_FILES = 200
MIB = 2**20


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=9380)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--json", action="store_true", help="print JSON instead of lines")
    options = parser.parse_args()
    allow_files(options.count + SPARE_FILES)
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as sockets:
        model = written(Path(name) / "model.py", ECHO)
        server = sockets.enter_context(served(model, options.port, "--gpus", "none"))
        fronts = [pid for pid, kind in process_names(server.pid).items() if kind == "front"]
        alone = called(options.port)
        before = held(fronts)
        began = time.monotonic()
        for _ in range(options.count):
            sockets.enter_context(opened(options.port))
        took_s = time.monotonic() - began
        grown = held(fronts) - before
        beside = called(options.port)
    result = {
        "websockets": options.count,
        "grown_mib": grown / MIB,
        "kib_each": grown / 1024 / options.count,
        "opened_per_s": options.count / took_s,
        "alone": alone,
        "beside": beside,
    }
    if options.json:
        print(json.dumps(result, indent=2))
        return
    print(
        f"{options.count} idle WebSockets: the front grew by {result['grown_mib']:.1f} MiB,",
        end=" ",
    )
    print(f"{result['kib_each']:.1f} KiB each; {result['opened_per_s']:.0f} opened a second")
    for title, calls in (("none open", alone), ("all open", beside)):
        print(f"{CALLS} calls, {title}: {calls['refused']} refused,", end=" ")
        print(f"median {calls['median_ms']:.2f} ms, worst {calls['worst_ms']:.1f} ms")


def held(processes: Iterable[int]) -> int:
    """Bytes of memory of some processes."""
    return sum(own + shared for own, shared in map(held_bytes, processes))


def allow_files(count: int) -> None:
    """Raise the limit of open files, of this process and those it starts."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most < count and os.geteuid() == 0:
        most = count
    if most < count:
        sys.exit(f"{count} open files are needed, and the system grants {most}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def opened(port: int) -> socket.socket:
    """A WebSocket after its handshake."""
    wire = socket.create_connection(("127.0.0.1", port), timeout=30)
    key = base64.b64encode(os.urandom(16)).decode()
    lines = [
        "GET / HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Connection: Upgrade",
        "Upgrade: websocket",
    ]
    lines += [f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", "", ""]
    wire.sendall("\r\n".join(lines).encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        part = wire.recv(4096)
        if not part:
            break
        answer += part
    if not answer.startswith(b"HTTP/1.1 101 "):
        sys.exit(f"no WebSocket: {answer[:500]!r}")
    return wire


def called(port: int) -> dict[str, float]:
    """How calls of a command fare, one after the other."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    times, refused = [], 0
    with contextlib.closing(connection):
        for _ in range(CALLS):
            began = time.perf_counter()
            connection.request("POST", "/echo", VECTOR_BODY)
            response = connection.getresponse()
            response.read()
            times.append((time.perf_counter() - began) * 1000)
            refused += response.status != 200
    return {"refused": refused, "median_ms": statistics.median(times), "worst_ms": max(times)}


if __name__ == "__main__":
    main()
