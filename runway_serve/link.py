"""`WorkerLink`: the front's socket to one worker process, on the front's event loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

import zmq

from runway.codec import Packer, unpack

logger = logging.getLogger(__name__)


class WorkerLink:
    """A DEALER to one worker, watched by the loop through its edge-triggered file descriptor.

    Args:
        address: where the worker bound its ROUTER.
        hear: called with every message of the worker.
    """

    def __init__(
        self,
        context: zmq.Context[Any],
        address: str,
        loop: asyncio.AbstractEventLoop,
        hear: Callable[[Mapping[str, Any]], None],
    ) -> None:
        self._loop = loop
        self._hear = hear
        self._packer = Packer()
        self._is_reading = False
        self._socket = context.socket(zmq.DEALER)
        self._socket.set_hwm(0)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.connect(address)
        self._fd = self._socket.getsockopt(zmq.FD)
        loop.add_reader(self._fd, self._read)

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a message; it waits in the socket until the worker takes it."""
        frames = self._packer.pack(message)
        if len(frames) == 1:
            self._socket.send(frames[0])
        else:
            self._socket.send_multipart(frames, copy=False)
        if not self._is_reading:
            self._read()  # a send may have eaten the edge that announced an answer

    def close(self) -> None:
        """Forget the worker; what was not sent is dropped."""
        self._loop.remove_reader(self._fd)
        self._socket.close()

    def _read(self) -> None:
        self._is_reading = True
        try:
            self._read_all()
        finally:
            self._is_reading = False

    def _read_all(self) -> None:
        while not self._socket.closed and self._socket.getsockopt(zmq.EVENTS) & zmq.POLLIN:
            frames = self._socket.recv_multipart(zmq.NOBLOCK, copy=False)
            try:
                message = unpack([frame.buffer for frame in frames])
            except ValueError as error:
                logger.warning("front dropped a message: %s", error)
                continue
            self._hear(message)
