"""The worker's socket: whichever front connects to it, and the messages of each."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import socket
from pathlib import Path

from runway.zmtp import Buffer, Peer

logger = logging.getLogger(__name__)
INTERRUPTS = 4096  # bytes that may have come


class Fronts:
    """A ROUTER at a path, watched by `poll` in one thread at a time: none other wakes for a message."""

    def __init__(self) -> None:
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._poll = select.poll()
        self._peers: dict[int, Peer] = {}
        self._interrupted, self._interrupts = os.pipe()
        self._poll.register(self._interrupted, select.POLLIN)

    def bind(self, address: str) -> None:
        """Listen at an `ipc://` address, in place of a worker that died there."""
        path = Path(address.removeprefix("ipc://"))
        path.unlink(missing_ok=True)
        self._listener.bind(str(path))
        self._listener.listen()
        self._listener.setblocking(False)
        self._poll.register(self._listener, select.POLLIN)

    def interrupt(self) -> None:
        """Have `receive` in another thread return; if none waits, the next one will not."""
        os.write(self._interrupts, b"\0")

    def receive(self, block: bool) -> list[tuple[Peer, list[Buffer]]]:
        """Messages that arrived, each with the front that sent it; may be none, though `block` waits for something."""
        messages: list[tuple[Peer, list[Buffer]]] = []
        for fd, _ in self._poll.poll(None if block else 0):
            peer = self._peers.get(fd)
            if fd == self._interrupted:
                os.read(fd, INTERRUPTS)
            elif peer is None:
                self._accept()
            else:
                messages += [(peer, frames) for frames in self._take(peer)]
        return messages

    def _take(self, peer: Peer) -> list[list[Buffer]]:
        try:
            return peer.take()
        except ConnectionError:
            pass
        except ValueError as error:
            logger.warning("worker hung up on a stranger: %s", error)
        self._forget(peer)
        return []

    def send(self, peer: Peer, frames: list[Buffer]) -> None:
        """Send a message to a front, and wait while that does not read; it is dropped if the front is gone."""
        peer.put(frames)
        while peer.is_full:
            peer.wait_writable()
            peer.flush()

    def close(self) -> None:
        """Hang up on everyone and listen no more."""
        for peer in list(self._peers.values()):
            self._forget(peer)
        self._listener.close()
        os.close(self._interrupted)
        os.close(self._interrupts)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # it went away again
            connection, _ = self._listener.accept()
            peer = Peer(connection, "ROUTER")
            self._peers[peer.fd] = peer
            self._poll.register(peer.fd, select.POLLIN)

    def _forget(self, peer: Peer) -> None:
        self._poll.unregister(peer.fd)
        del self._peers[peer.fd]
        peer.close()
