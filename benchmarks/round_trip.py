"""A round trip between two processes: ZeroMQ's messages through libzmq, and by `runway.zmtp` on the sockets themselves.

    python -m benchmarks.round_trip                     # 5 rounds in turns, 2500 bytes
    python -m benchmarks.round_trip --pause-ms 10       # with a sleep before each, as a slow model makes it

One side is an event loop, as the front; the other blocks, as a worker. Both ways send the same bytes on a unix socket.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import uvloop
import zmq

from benchmarks.serving import spread
from runway.zmtp import Peer
from runway_serve.bench.process_tree import cpu_seconds
from runway_serve.workers.fronts import Fronts

WAYS = ("libzmq", "sockets")


def main() -> None:
    """Measure in turns and print a line for each way."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--trips", type=int, default=4000)
    parser.add_argument("--bytes", type=int, default=2500)
    parser.add_argument("--pause-ms", type=float, default=0)
    parser.add_argument("--answer", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--address", help=argparse.SUPPRESS)
    flags = parser.parse_args()
    if flags.answer:
        {"libzmq": answer_by_libzmq, "sockets": answer_by_sockets}[flags.answer](flags.address)
    found: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
    for index in range(flags.rounds):
        for way in WAYS[:: 1 if index % 2 == 0 else -1]:
            found[way].append(measure(way, flags.trips, bytes(flags.bytes), flags.pause_ms / 1e3))
    for way, figures in found.items():
        times, costs = zip(*figures, strict=True)
        print(f"{way:>8}: {spread(times, '{:.0f}')} us, {spread(costs, '{:.0f}')} us of CPU")


def measure(way: str, trips: int, message: bytes, pause_s: float) -> tuple[float, float]:
    """Median microseconds of a round trip, and those of CPU time, both processes and all their threads together."""
    with tempfile.TemporaryDirectory() as folder:
        address = f"ipc://{folder}/socket"
        command = [sys.executable, "-m", "benchmarks.round_trip", "--answer", way]
        other = subprocess.Popen([*command, "--address", address])
        try:
            while not Path(folder, "socket").exists():
                time.sleep(0.01)
            loop = uvloop.new_event_loop()
            times: list[float] = []
            send = {"libzmq": by_libzmq, "sockets": by_sockets}[way]
            done = loop.create_future()
            began = cpu_seconds(os.getpid())  # of the other process too, which is a child
            send(loop, address, Trips(loop, message, trips, pause_s, times, done))
            loop.run_until_complete(done)
            used = cpu_seconds(os.getpid()) - began
            return median(times) * 1e6, used / trips * 1e6
        finally:
            other.kill()
            other.wait()


class Trips:
    """Sends, is told of the answer, notes the time, pauses, and sends again."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        message: bytes,
        trips: int,
        pause_s: float,
        times: list[float],
        done: asyncio.Future[None],
    ) -> None:
        self._loop, self._message, self._trips, self._pause_s = loop, message, trips, pause_s
        self._times, self._done = times, done
        self.post: Callable[[bytes], None] = lambda message: None

    def send(self) -> None:
        """Begin a trip."""
        self._began = time.perf_counter()
        self.post(self._message)

    def answered(self) -> None:
        """A trip ended."""
        self._times.append(time.perf_counter() - self._began)
        if len(self._times) == self._trips:
            self._done.set_result(None)
        elif self._pause_s:
            self._loop.call_later(self._pause_s, self.send)
        else:
            self._loop.call_soon(self.send)


def by_libzmq(loop: asyncio.AbstractEventLoop, address: str, trips: Trips) -> None:
    """A DEALER of libzmq, watched through its descriptor."""
    dealer = zmq.Context.instance().socket(zmq.DEALER)
    dealer.setsockopt(zmq.LINGER, 0)
    dealer.connect(address)

    def read() -> None:
        while dealer.getsockopt(zmq.EVENTS) & zmq.POLLIN:
            dealer.recv_multipart(zmq.NOBLOCK, copy=False)
            trips.answered()

    def post(message: bytes) -> None:
        dealer.send(message, zmq.NOBLOCK)
        read()  # a send may eat the edge that announced an answer

    trips.post = post
    loop.add_reader(dealer.getsockopt(zmq.FD), read)
    loop.call_soon(trips.send)


def by_sockets(loop: asyncio.AbstractEventLoop, address: str, trips: Trips) -> None:
    """A DEALER of ours, as `runway_serve.link` has it."""
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(address.removeprefix("ipc://"))
    peer = Peer(connection, "DEALER")

    def read() -> None:
        for _ in peer.take():
            trips.answered()

    trips.post = lambda message: peer.put([message])
    loop.add_reader(peer.fd, read)
    loop.call_soon(trips.send)


def answer_by_libzmq(address: str) -> None:
    """Send every message back, for ever."""
    router = zmq.Context().socket(zmq.ROUTER)
    router.bind(address)
    while True:
        router.send_multipart(router.recv_multipart(copy=False), copy=False)


def answer_by_sockets(address: str) -> None:
    """Send every message back, for ever."""
    fronts = Fronts()
    fronts.bind(address)
    while True:
        for peer, frames in fronts.receive(block=True):
            fronts.send(peer, frames)


if __name__ == "__main__":
    main()
