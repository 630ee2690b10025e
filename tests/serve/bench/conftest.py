"""A model server and servers that behave badly, for the load to meet."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runway_serve.bench.load import Load
from runway_serve.bench.on_loop import on_loop
from runway_serve.bench.tally import Tally
from tests.serving import Served, serve

LOADED = Path(__file__).parents[2] / "scripts" / "loaded.py"
Behaviour = Callable[[socket.socket], None]


@pytest.fixture(scope="session")
def server() -> Iterator[Served]:
    with serve(LOADED, "--gpus", "none") as served:
        yield served


@contextmanager
def behaving(behave: Behaviour) -> Iterator[int]:
    """Port of a server that does `behave(connection)` for each request and closes the connection when that is done."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_accept, args=(listener, behave))
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)  # ends the accept
            thread.join(timeout=10)
            assert not thread.is_alive()


def _accept(listener: socket.socket, behave: Behaviour) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            connection.recv(65536)
            behave(connection)


def reset(connection: socket.socket) -> None:
    """Closing sends a reset instead of an end."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def run_load(load: Callable[[], Load], duration_s: float, limit: int | None = None) -> Tally:
    """Tally of one run."""

    async def run() -> Tally:
        running = load()
        try:
            return await running.run(duration_s, limit)
        finally:
            await running.close()

    return on_loop(run)
