"""ZeroMQ's wire protocol on a stream socket, without its thread: ZMTP 3.0, mechanism NULL, as DEALER or ROUTER.

libzmq hands every message to a thread of its own and takes every answer from it, so a round trip between two processes
wakes six threads; here it wakes two. What travels is the same, and a peer that uses libzmq understands it
(https://rfc.zeromq.org/spec/23/). `benchmarks/round_trip.py` has both, in turns.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Iterable, Sequence

Buffer = bytes | memoryview

MORE, LONG, COMMAND = (
    1,
    2,
    4,
)  # flags of a frame: others of its message follow, length in eight bytes, no message
SHORT_HEAD_BYTES, LONG_HEAD_BYTES = 2, 9
SIGNATURE = b"\xff" + bytes(8) + b"\x7f"
MECHANISM = b"NULL".ljust(20, b"\0")
VERSION = b"\x03\x00"
GREETING_BYTES = 64
JOIN_BYTES = 16_384  # to copy a longer frame behind its head costs more than a piece more to write
PIECES = 64  # of what waits, handed to the kernel at once; it takes 1024
RECEIVE_BYTES = 65_536
NO_SIGNAL = getattr(
    socket, "MSG_NOSIGNAL", 0
)  # a script may have given SIGPIPE its deadly meaning back


def opening(socket_type: str) -> bytes:
    """What each side sends first: its greeting and its READY. Messages follow once that of the other has come."""
    greeting = (SIGNATURE + VERSION + MECHANISM).ljust(GREETING_BYTES, b"\0")
    name, value = b"Socket-Type", socket_type.encode()
    ready = b"\x05READY" + bytes([len(name)]) + name + len(value).to_bytes(4, "big") + value
    return greeting + bytes([COMMAND, len(ready)]) + ready


def encode(frames: Sequence[Buffer]) -> list[Buffer]:
    """The pieces to send for a message of at least one frame; long frames are pieces of their own, not copied."""
    pieces: list[Buffer] = []
    start = b""
    last = len(frames) - 1
    for index, frame in enumerate(frames):
        more = MORE if index < last else 0
        size = frame.nbytes if isinstance(frame, memoryview) else len(frame)
        head = (
            bytes((more, size)) if size < 256 else bytes((more | LONG,)) + size.to_bytes(8, "big")
        )
        if size <= JOIN_BYTES:
            start += head + frame
        else:
            pieces += (start + head, frame)
            start = b""
    if start:
        pieces.append(start)
    return pieces


class Decoder:
    """Bytes of a stream, in whatever pieces they come, to messages."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._held = 0
        self._wanted = GREETING_BYTES  # with less than this there is nothing to see
        self._is_greeted = False
        self.is_ready = False  # the other side takes messages
        self._frames: list[Buffer] = []

    def feed(self, data: bytes) -> list[list[Buffer]]:
        """The messages that these bytes complete.

        The first frame of a message may be a view of `data`; the others are copies, so that arrays in them lie where
        processors like them.

        Raises:
            ValueError: this is not the protocol; there is no going on.
        """
        if self._pieces or len(data) < self._wanted:
            self._pieces.append(data)
            self._held += len(data)
            if self._held < self._wanted:
                return []
            data = b"".join(self._pieces)
            self._pieces = []
        messages: list[list[Buffer]] = []
        at = self._parse(data, messages)
        rest = data[at:] if at else data
        self._held = len(rest)
        if rest:
            self._pieces.append(rest)
        return messages

    def _parse(self, data: bytes, messages: list[list[Buffer]]) -> int:
        """Where the first frame begins that is not whole yet; sets how many bytes it needs."""
        at = 0
        if not self._is_greeted:
            _check_greeting(data)
            self._is_greeted = True
            at = GREETING_BYTES
        size = len(data)
        view = memoryview(data)
        while True:
            self._wanted = SHORT_HEAD_BYTES
            if size - at < SHORT_HEAD_BYTES:
                return at
            flags = data[at]
            if flags > MORE | LONG | COMMAND:
                raise ValueError(f"not a frame of ZMTP 3.0: flags {flags:#x}")
            if flags & LONG:
                self._wanted = LONG_HEAD_BYTES
                if size - at < LONG_HEAD_BYTES:
                    return at
                begin = at + LONG_HEAD_BYTES
                end = begin + int.from_bytes(data[at + 1 : begin], "big")
            else:
                begin = at + SHORT_HEAD_BYTES
                end = begin + data[at + 1]
            if end > size:
                self._wanted = end - at
                return at
            at = end
            if flags & COMMAND:  # READY; what else it tells does not count here
                self.is_ready = True
                continue
            self._frames.append(data[begin:end] if self._frames else view[begin:end])
            if not flags & MORE:
                messages.append(self._frames)
                self._frames = []


def _check_greeting(data: bytes) -> None:
    is_zmtp3 = data[:1] == b"\xff" and data[9] & 1 and data[10] >= VERSION[0]
    if not is_zmtp3 or data[12:32] != MECHANISM:
        raise ValueError("not a greeting of ZMTP 3.0 with mechanism NULL")


class Peer:
    """One connection. It never blocks, and belongs to one thread.

    Args:
        connection: a connected stream socket, which the peer closes.
        socket_type: what this side is, `DEALER` or `ROUTER`.
    """

    def __init__(self, connection: socket.socket, socket_type: str) -> None:
        connection.setblocking(False)
        self._socket = connection
        self._decoder = Decoder()
        self._unsent: list[Buffer] = [opening(socket_type)]
        self._waiting: list[Buffer] = []  # until the other side is ready
        self.is_broken = False
        self.is_full = False  # the socket takes no more; `flush` goes on once it is writable
        self.fd = connection.fileno()
        self.flush()

    def put(self, frames: Sequence[Buffer]) -> None:
        """Send a message, as far as the socket takes it; a broken connection takes everything and sends nothing."""
        if not self._decoder.is_ready:
            self._waiting += encode(frames)
            return
        self._unsent += encode(frames)
        if not self.is_full:
            self.flush()

    def flush(self) -> None:
        """Send what is left."""
        pieces, self._unsent = self._unsent, []
        self.is_full = False
        while pieces and not self.is_broken:
            try:
                sent = self._socket.sendmsg(pieces[:PIECES], (), NO_SIGNAL)
            except BlockingIOError:
                self._unsent, self.is_full = pieces, True
                return
            except OSError:
                self.is_broken = True
                return
            pieces = _after(pieces, sent)

    def take(self) -> list[list[Buffer]]:
        """The messages that arrived, as far as one look tells.

        Raises:
            ConnectionError: the other side is gone.
            ValueError: it speaks something else.
        """
        try:
            data = self._socket.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return []
        except OSError as error:
            raise ConnectionResetError(*error.args) from error
        if not data:
            raise ConnectionResetError("the other side closed the connection")
        messages = self._decoder.feed(data)
        if self._waiting and self._decoder.is_ready:
            self._unsent += self._waiting
            self._waiting = []
            self.flush()
        return messages

    def has_more(self) -> bool:
        """Whether `take` would find something, be it the end."""
        readable = select.poll()
        readable.register(self.fd, select.POLLIN)
        return bool(readable.poll(0))

    def wait_writable(self) -> None:
        """Block until `flush` has something to do."""
        writable = select.poll()
        writable.register(self.fd, select.POLLOUT)
        writable.poll()

    def close(self) -> None:
        """Close the connection; what was not sent is dropped."""
        self.is_broken = True
        self._unsent = self._waiting = []
        self._socket.close()


def _after(pieces: Iterable[Buffer], sent: int) -> list[Buffer]:
    """What is left of the pieces when so many bytes of them are sent."""
    left: list[Buffer] = []
    for piece in pieces:
        size = piece.nbytes if isinstance(piece, memoryview) else len(piece)
        if sent >= size:
            sent -= size
        elif sent:
            left.append(memoryview(piece).cast("B")[sent:])
            sent = 0
        else:
            left.append(piece)
    return left
