"""W7's load: small requests at a steady rate, with or without large ones between; times of the small ones.

Arrivals are random (exponential gaps, seeded) and do not wait for answers; a request's time counts from the moment it
was to be sent, so a server that stalls is charged for every request the stall delayed.
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, field

from benchmarks.rivals.load import LONGEST_ANSWER_S, LoadError
from benchmarks.rivals.points import LARGE_PER_S, SMALL_PER_S


@dataclass
class _Stream:
    """Kept connections to one route; more are opened where all are busy."""

    port: int
    request: bytes
    idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = field(default_factory=list)
    times_ms: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    async def call(self, due: float) -> None:
        """Send one request and note how long after `due` its answer was complete."""
        try:
            status = await asyncio.wait_for(self._exchange(), LONGEST_ANSWER_S)
        except (OSError, EOFError, asyncio.TimeoutError) as error:
            self.failures.append(repr(error))
            return
        if status == b"200":
            self.times_ms.append((time.perf_counter() - due) * 1000)
        else:
            self.failures.append(f"status {status.decode()}")

    async def _exchange(self) -> bytes:
        if self.idle:
            reader, writer = self.idle.pop()
        else:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 24)
        writer.write(self.request)
        head = await reader.readuntil(b"\r\n\r\n")
        fields = head.lower()
        if b"transfer-encoding: chunked" in fields:
            while size := int(await reader.readline(), 16):
                await reader.readexactly(size + 2)
            await reader.readexactly(2)
        else:
            length = int(fields.partition(b"content-length:")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
        if b"connection: close" in fields:
            writer.close()
        else:
            self.idle.append((reader, writer))
        return head.split(b" ", 2)[1]

    def close(self) -> None:
        """Close the connections that are kept."""
        for _, writer in self.idle:
            writer.close()


def steady_rate(
    port: int, small: tuple[str, bytes], large: tuple[str, bytes] | None, seconds: float
) -> dict[str, float]:
    """Answers a second and percentiles in ms of the small requests; each kind is a path and a body.

    Raises:
        LoadError: an answer was an error, or none came in time.
    """
    streams = [(_Stream(port, _request(port, *small)), SMALL_PER_S)]
    if large is not None:
        streams.append((_Stream(port, _request(port, *large)), LARGE_PER_S))
    asyncio.run(_send(streams, seconds))
    failures = [failure for stream, _ in streams for failure in stream.failures]
    if failures:
        raise LoadError(f"{len(failures)} requests failed, the first with {failures[0]}")
    times = sorted(streams[0][0].times_ms)
    answered = sum(len(stream.times_ms) for stream, _ in streams)
    return {
        "requests": answered,
        "requests_per_s": answered / seconds,
        "p50_ms": times[len(times) // 2],
        "p90_ms": times[len(times) * 90 // 100],
        "p99_ms": times[len(times) * 99 // 100],
    }


def _request(port: int, path: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def _send(streams: list[tuple[_Stream, int]], seconds: float) -> None:
    seeded = random.Random(7)
    plan: list[tuple[float, _Stream]] = []
    for stream, per_s in streams:
        at = seeded.expovariate(per_s)
        while at < seconds:
            plan.append((at, stream))
            at += seeded.expovariate(per_s)
    began = time.perf_counter()
    tasks = []
    for at, stream in sorted(plan, key=lambda entry: entry[0]):
        pause = began + at - time.perf_counter()
        if pause > 0:
            await asyncio.sleep(pause)
        tasks.append(asyncio.create_task(stream.call(began + at)))
    await asyncio.gather(*tasks)
    for stream, _ in streams:
        stream.close()
