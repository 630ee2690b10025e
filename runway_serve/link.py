"""`WorkerLink`: the front's socket to one worker process, on the front's event loop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import zmq

from runway.arena import ArenaRoom, Bytes
from runway.codec import Packer, unpack
from runway.messages import read_by_front

logger = logging.getLogger(__name__)
EVENTS, POLLIN = (
    int(zmq.EVENTS),
    int(zmq.POLLIN),
)  # as plain numbers: enumerations cost a microsecond each


@dataclass(slots=True)
class _Held:
    """Shared memory of a batch: room for its outputs, and the inputs that lie there."""

    room: tuple[int, Bytes] | None
    inputs: list[np.ndarray[Any, Any]] = field(default_factory=list)


class WorkerLink:
    """A DEALER to one worker, watched by the loop through its edge-triggered file descriptor.

    Args:
        address: where the worker bound its ROUTER.
        hear: called with every message of the worker.
        arena: where large arrays go.
    """

    def __init__(
        self,
        context: zmq.Context[Any],
        address: str,
        loop: asyncio.AbstractEventLoop,
        hear: Callable[[Mapping[str, Any]], None],
        arena: ArenaRoom | None = None,
    ) -> None:
        self._loop = loop
        self._hear = hear
        self._arena = arena
        self._held: deque[_Held] = deque()
        self._packer = Packer(place=self._place)
        self._is_reading = False
        self._socket = context.socket(zmq.DEALER)
        self._socket.set_hwm(0)
        self._socket.setsockopt(zmq.LINGER, 0)
        # The successor of a dead worker binds the same address; what was sent to the one is not for the other.
        self._socket.setsockopt(zmq.RECONNECT_IVL, -1)
        self._socket.connect(address)
        self._fd = self._socket.getsockopt(zmq.FD)
        loop.add_reader(self._fd, self._read)

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
        """Send a message; it waits in the socket until the worker takes it, and is dropped if that is dead."""
        frames = self._packer.pack(message)
        with contextlib.suppress(zmq.Again):  # nobody is there; the supervisor is about to say so
            if len(frames) == 1:
                self._socket.send(frames[0], zmq.NOBLOCK)
            else:
                self._socket.send_multipart(frames, zmq.NOBLOCK, copy=False)
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
        while not self._socket.closed and self._socket.getsockopt(EVENTS) & POLLIN:
            frames = self._socket.recv_multipart(zmq.NOBLOCK, copy=False)
            try:
                message = read_by_front(unpack([frame.buffer for frame in frames], self._look_up))
            except ValueError as error:
                logger.warning("front dropped a message: %s", error)
                continue
            self._hear(message)
