"""`WorkerLink`: the front's socket to one worker process, on the front's event loop."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from runway.arena import ArenaRoom, Bytes
from runway.codec import Packer, unpack
from runway.messages import read_by_front
from runway.zmtp import Peer

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Held:
    """Shared memory of a batch: room for its outputs, and the inputs that lie there."""

    room: tuple[int, Bytes] | None
    inputs: list[np.ndarray[Any, Any]] = field(default_factory=list)


class WorkerLink:
    """A DEALER to one worker, which the loop itself reads and writes.

    Args:
        address: where the worker bound its ROUTER.
        hear: called with every message of the worker.
        broken: called once, when the connection ends before `close`.
        arena: where large arrays go.
    """

    def __init__(
        self,
        address: str,
        loop: asyncio.AbstractEventLoop,
        hear: Callable[[Mapping[str, Any]], None],
        broken: Callable[[], None],
        arena: ArenaRoom | None = None,
    ) -> None:
        self._loop = loop
        self._hear = hear
        self._arena = arena
        self._held: deque[_Held] = deque()
        self._packer = Packer(place=self._place)
        self._broken = broken
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(address.removeprefix("ipc://"))
        except OSError:  # the worker died meanwhile: what is sent to it is dropped
            loop.call_soon(broken)
        self._peer = Peer(connection, "DEALER")
        self._is_open = not self._peer.is_broken
        if self._is_open:
            loop.add_reader(self._peer.fd, self._read)

    def lease_room(self, size: int) -> tuple[int, int] | None:
        """Shared memory for the outputs of the batch that is sent next; `release` gives it back."""
        room = self._arena.lease(size) if self._arena is not None and size else None
        self._held.append(_Held(room))
        return None if room is None else (room[0], room[1].nbytes)

    def release(self) -> None:
        """The oldest batch ended: what its inputs and outputs took is free as soon as nobody looks at it."""
        self._held.popleft()

    def _place(self, array: np.ndarray[Any, Any]) -> int | None:
        if self._arena is None or not self._held:
            return None
        inputs = self._held[-1].inputs
        offset = self._arena.offset_of(array)
        if offset is not None:
            inputs.append(array)
            return offset
        leased = self._arena.lease(array.nbytes)
        if leased is None:
            return None
        offset, block = leased
        block[: array.nbytes] = array.reshape(-1).view(np.uint8)
        inputs.append(block)
        return offset

    def _look_up(self, offset: int, size: int) -> Bytes:
        """Bytes that the worker wrote into the room of its batch."""
        for held in self._held:
            if held.room is None:
                continue
            start = offset - held.room[0]
            if start >= 0 and start + size <= held.room[1].nbytes:
                return held.room[1][start : start + size]
        raise ValueError(f"{size} bytes at {offset} are in no batch's room")

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a message; it waits until the worker takes it, and is dropped if that is dead."""
        self._peer.put(self._packer.pack(message))
        if self._peer.is_full:
            self._loop.add_writer(self._peer.fd, self._write)

    def close(self) -> None:
        """Hear what the worker still said, then forget it; what was not sent is dropped."""
        while self._is_open and self._peer.has_more():
            self._read()
        self._hang_up()

    def _write(self) -> None:
        self._peer.flush()
        if not self._peer.is_full:
            self._loop.remove_writer(self._peer.fd)

    def _read(self) -> None:
        try:
            messages = self._peer.take()
        except (ConnectionError, ValueError) as error:
            logger.debug("front lost a worker: %s", error)
            self._hang_up()
            self._broken()
            return
        if self._peer.is_full:  # what waited for the worker to be ready
            self._loop.add_writer(self._peer.fd, self._write)
        for frames in messages:
            if not self._is_open:  # one of them was the end of it
                return
            try:
                message = read_by_front(unpack(frames, self._look_up))
            except ValueError as error:
                logger.warning("front dropped a message: %s", error)
                continue
            self._hear(message)

    def _hang_up(self) -> None:
        if self._is_open:
            self._is_open = False
            self._loop.remove_reader(self._peer.fd)
            self._loop.remove_writer(self._peer.fd)
        self._peer.close()
