"""The connection between front and worker: what is said at its end, strangers, a side that does not read."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import closing, contextmanager

import pytest

from runway.codec import Packer, unpack
from runway.invocation import Output
from runway.messages import CancelTasks, Outcome, outcomes
from runway.zmtp import Peer, opening
from runway_serve.link import WorkerLink
from runway_serve.workers.fronts import Fronts
from tests.serving import serve
from tests.trust.kinds import metric, wait_for, wait_for_workers

CUTTER = """
import os, socket, stat
import runway

@runway.command("cut", inputs={"x": runway.number}, outputs={"y": runway.number})
def cut(model, inputs):
    for fd in range(3, 256):
        try:
            is_socket = stat.S_ISSOCK(os.fstat(fd).st_mode)
        except OSError:
            continue
        if is_socket:
            end = socket.socket(fileno=os.dup(fd))
            if end.family == socket.AF_UNIX and end.getsockname():
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass  # it listens
    return 1

@runway.command("half", inputs={"x": runway.number}, outputs={"y": runway.number})
def half(model, inputs):
    return inputs["x"] / 2

runway.run()
"""


def test_a_worker_whose_connection_broke_is_replaced(tmp_path):
    script = tmp_path / "model.py"
    script.write_text(CUTTER)
    with serve(script, "--gpus", "none") as server:
        wait_for_workers(server, 1)

        answer = server.post("cut", {"x": 1})

        assert answer.status_code == 500
        assert "its connection to the front broke" in answer.json()["error"]
        wait_for(lambda: server.get("/ready").status_code == 200)
        assert server.post("half", {"x": 4}).json() == {"y": 2}
        assert metric(server, "runway_worker_restarts_total", reason="connection_lost") == 1


@contextmanager
def listening(tmp_path):
    """The address of a socket, and the socket."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "worker"))
        listener.listen()
        yield f"ipc://{tmp_path / 'worker'}", listener


def an_answer(task_id: int) -> list[bytes]:
    message = outcomes([Outcome(task_id, Output({"y": 1}, None, True))], 1, 0.1)
    return [bytes(frame) for frame in Packer().pack(message)]


def test_what_a_worker_said_before_it_died_is_heard(tmp_path):
    with listening(tmp_path) as (address, listener):
        loop, heard, broken = asyncio.new_event_loop(), [], []
        with closing(loop):
            link = WorkerLink(address, loop, heard.append, lambda: broken.append(1))
            connection, _ = listener.accept()
            with closing(Peer(connection, "ROUTER")) as worker:
                link._read()  # the greeting
                worker.take()
                worker.put(an_answer(5))
                worker.put(an_answer(6))

            link.close()  # the supervisor says that it is dead, before the loop has looked

            assert [message["items"][0].task_id for message in heard] == [5, 6]


def test_a_link_to_nobody_says_so_and_takes_what_it_is_given(tmp_path):
    loop, broken = asyncio.new_event_loop(), []
    with closing(loop):
        link = WorkerLink(f"ipc://{tmp_path / 'gone'}", loop, print, lambda: broken.append(1))
        link.send(CancelTasks([1]).to_wire())
        loop.call_soon(loop.stop)
        loop.run_forever()

        assert broken == [1]
        link.close()


@pytest.fixture
def fronts(tmp_path):
    fronts = Fronts()
    fronts.bind(f"ipc://{tmp_path / 'worker'}")
    yield fronts
    fronts.close()


def connect(fronts: Fronts, tmp_path) -> Peer:
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(str(tmp_path / "worker"))
    front = Peer(connection, "DEALER")
    fronts.receive(block=True)  # accepted
    fronts.receive(block=True)  # greeted
    assert front.take() == []
    return front


def cancel(*ids: int) -> list[bytes]:
    return [bytes(frame) for frame in Packer().pack(CancelTasks(ids).to_wire())]


def test_each_front_gets_its_own_answers(fronts, tmp_path):
    with closing(connect(fronts, tmp_path)) as old, closing(connect(fronts, tmp_path)) as new:
        old.put(cancel(1))
        new.put(cancel(2))
        asked = fronts.receive(block=True)
        while len(asked) < 2:
            asked += fronts.receive(block=True)

        for peer, frames in asked:
            fronts.send(peer, [b"%d" % unpack(frames)["tasks"][0]])

        assert [bytes(frame) for message in old.take() for frame in message] == [b"1"]
        assert [bytes(frame) for message in new.take() for frame in message] == [b"2"]


def test_a_front_that_is_gone_costs_nobody_anything(fronts, tmp_path):
    old = connect(fronts, tmp_path)
    old.put(cancel(1))
    ((peer, _),) = fronts.receive(block=True)
    old.close()

    fronts.send(peer, [b"too late"])
    fronts.receive(block=True)  # its end
    fronts.send(peer, [b"later still"])

    with closing(connect(fronts, tmp_path)) as new:
        new.put(cancel(2))
        assert len(fronts.receive(block=True)) == 1


@pytest.mark.parametrize(
    "said", [b"GET / HTTP/1.1\r\n\r\n".ljust(80), opening("DEALER") + b"\xf0\0"]
)
def test_a_stranger_is_hung_up_on(fronts, tmp_path, said: bytes, caplog):
    with closing(connect(fronts, tmp_path)) as front, socket.socket(socket.AF_UNIX) as stranger:
        stranger.connect(str(tmp_path / "worker"))
        stranger.sendall(said)
        assert fronts.receive(block=True) == []
        assert fronts.receive(block=True) == []

        assert "hung up on a stranger" in caplog.text
        front.put(cancel(1))
        assert len(fronts.receive(block=True)) == 1


def test_a_front_that_does_not_read_for_a_while_gets_everything(fronts, tmp_path):
    answers = [b"%d" % at + bytes(300_000) for at in range(20)]  # many times what a socket holds
    with closing(connect(fronts, tmp_path)) as front:
        front.put(cancel(1))
        ((peer, _),) = fronts.receive(block=True)

        def work():
            for answer in answers:
                fronts.send(peer, [answer])

        worker = threading.Thread(target=work)
        worker.start()
        got: list[bytes] = []
        while len(got) < len(answers):
            got += [bytes(frame) for message in front.take() for frame in message]
        worker.join()

        assert got == answers
