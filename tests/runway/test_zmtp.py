from __future__ import annotations

import itertools
import socket
import threading
from contextlib import closing, contextmanager

import pytest
import zmq
from hypothesis import given, settings
from hypothesis import strategies as st

from runway.zmtp import Decoder, Peer, encode, opening

MESSAGES = st.lists(st.lists(st.binary(max_size=600), min_size=1, max_size=4), max_size=6)


def pieces_of(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


def plain(messages) -> list[list[bytes]]:
    return [[bytes(frame) for frame in frames] for frames in messages]


@given(MESSAGES, st.lists(st.integers(0, 10_000), max_size=20))
def test_messages_arrive_whole_and_in_order_however_the_stream_is_cut(messages, cuts):
    data = opening("DEALER") + b"".join(bytes(p) for frames in messages for p in encode(frames))
    decoder = Decoder()

    found = [message for piece in pieces_of(data, cuts) for message in decoder.feed(piece)]

    assert plain(found) == messages


@pytest.mark.parametrize("size", [0, 1, 255, 256, 16_384, 16_385, 300_000])
def test_a_frame_of_any_size(size: int):
    message = [b"head", bytes(size), b"x" * size]
    decoder = Decoder()

    (found,) = decoder.feed(opening("ROUTER") + b"".join(bytes(p) for p in encode(message)))

    assert [bytes(frame) for frame in found] == message


def test_frames_after_the_first_are_aligned():
    message = [b"head", b"\1" * 17_001, b"\2" * 17_000]
    decoder = Decoder()

    (found,) = decoder.feed(opening("ROUTER") + b"".join(bytes(p) for p in encode(message)))

    import numpy as np

    for frame in found[1:]:
        assert np.frombuffer(frame, np.uint8).ctypes.data % 8 == 0


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nhost: localhost\r\naccept: */*\r\nuser-agent: something\r\n\r\n",
        bytes(64),
        opening("DEALER").replace(b"NULL", b"PLAI"),
        b"\xff" + bytes(8) + b"\x7f\x01" + opening("DEALER")[11:],
        opening("DEALER") + b"\x80\x00",
        opening("DEALER") + b"\x08\x03abc",
    ],
)
def test_something_else_is_refused(data: bytes):
    with pytest.raises(ValueError, match=r"ZMTP 3\.0"):
        Decoder().feed(data)


@given(st.binary(max_size=200))
@settings(max_examples=300)
def test_any_bytes_are_messages_or_an_error(data: bytes):
    decoder = Decoder()
    decoder.feed(opening("DEALER"))
    try:
        for message in decoder.feed(data):
            assert message
    except ValueError as error:
        assert "ZMTP" in str(error)


# -- the same messages with libzmq on the other side

BIG = bytes(range(256)) * 20_000  # 5 MB, many times what a socket holds
TALK = [[b"one"], [b"two", b"", b"parts"], [b"x" * 255, b"y" * 256], [b"big", BIG], [b"last"]]


@contextmanager
def libzmq(kind: int):
    context = zmq.Context()
    try:
        with context.socket(kind) as peer:
            peer.setsockopt(zmq.LINGER, 0)
            peer.setsockopt(zmq.RCVTIMEO, 20_000)
            yield peer
    finally:
        context.term()


def exchange(peer: Peer, messages) -> list[list[bytes]]:
    """Send, and read until as many came back."""
    for message in messages:
        peer.put(message)
    found: list[list[bytes]] = []
    while len(found) < len(messages):
        peer.flush()
        found += plain(peer.take())
    return found


def test_a_router_of_libzmq_understands_our_dealer(tmp_path):
    path = tmp_path / "router"
    with libzmq(zmq.ROUTER) as router:
        router.bind(f"ipc://{path}")

        def echo():
            for _ in TALK:
                router.send_multipart(router.recv_multipart())

        thread = threading.Thread(target=echo)
        thread.start()
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(path))
        with closing(Peer(connection, "DEALER")) as peer:
            assert exchange(peer, TALK) == TALK
        thread.join()


def test_a_dealer_of_libzmq_understands_our_router(tmp_path):
    path = tmp_path / "router"
    with socket.socket(socket.AF_UNIX) as listener, libzmq(zmq.DEALER) as dealer:
        listener.bind(str(path))
        listener.listen()
        dealer.connect(f"ipc://{path}")
        heard: list[list[bytes]] = []

        def talk():
            for message in TALK:
                dealer.send_multipart(message)
            heard.extend(dealer.recv_multipart() for _ in TALK)

        thread = threading.Thread(target=talk)
        thread.start()
        connection, _ = listener.accept()
        with closing(Peer(connection, "ROUTER")) as peer:
            assert exchange(peer, TALK) == TALK
            thread.join()
    assert heard == TALK


# -- the socket


@contextmanager
def connected():
    """Two ends that have greeted each other."""
    ours, theirs = socket.socketpair()
    with closing(Peer(ours, "DEALER")) as one, closing(Peer(theirs, "ROUTER")) as other:
        assert one.take() == other.take() == []
        yield one, other


def test_what_the_socket_does_not_take_is_sent_later_and_nothing_is_mixed_up():
    with connected() as (peer, other):
        peer.put([b"first", BIG])
        assert peer.is_full
        peer.put([b"second"])

        found = []
        while len(found) < 2:
            found += plain(other.take())
            peer.flush()

        assert found == [[b"first", BIG], [b"second"]]
        assert not peer.is_full


def test_messages_wait_until_the_other_side_has_said_that_it_is_ready():
    ours, theirs = socket.socketpair()
    with closing(Peer(ours, "DEALER")) as peer, theirs:
        greeting = theirs.recv(1000)
        peer.put([b"early"])
        theirs.setblocking(False)
        with pytest.raises(BlockingIOError):
            theirs.recv(1000)
        assert not peer.is_full

        theirs.sendall(opening("ROUTER"))
        assert peer.take() == []

        assert greeting == opening("DEALER")
        assert theirs.recv(1000) == b"\0\5early"


def test_to_send_to_a_side_that_is_gone_is_no_error_and_to_read_from_it_is():
    with connected() as (peer, other):
        other.close()

        peer.put([b"anyone?"])
        peer.put([b"no?"])
        assert peer.is_broken
        assert not peer.is_full
        with pytest.raises(ConnectionError):
            peer.take()


def test_what_was_said_before_the_end_is_heard():
    with connected() as (peer, other):
        other.put([b"farewell"])
        other.close()

        assert peer.has_more()
        assert plain(peer.take()) == [[b"farewell"]]
        with pytest.raises(ConnectionError):
            peer.take()
