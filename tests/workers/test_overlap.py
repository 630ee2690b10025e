"""When a worker leaves answers to its courier, and what the courier promises."""

from __future__ import annotations

import threading
import weakref

import pytest

from runway_serve.workers.courier import Courier
from runway_serve.workers.overlap import BLOCK, BLOCKS, HELD, HELD_WITHOUT, Overlap, Ran

# Of each block the first, and the last of the one before, do not count.
TRIAL = BLOCKS * (BLOCK + 2) + 1
RUN_S = 0.010


class Worker:
    """A model whose batches cost what it is told, one way and the other."""

    def __init__(self, gap_s: float, beside_gap_s: float, beside_late_s: float = 0.0) -> None:
        self.overlap = Overlap()
        self.gap_s, self.beside_gap_s, self.beside_late_s = gap_s, beside_gap_s, beside_late_s
        self.size = 8

    def run(self, batches: int, command: str = "a") -> list[bool]:
        """Whether the answers of each batch were left to the courier."""
        ways = []
        for _ in range(batches):
            is_beside = self.overlap.is_wanted(command)
            gap_s = self.beside_gap_s if is_beside else self.gap_s
            late_s = self.beside_late_s if is_beside else self.gap_s
            ran = Ran(command, self.size, 0.0, RUN_S, None if is_beside else RUN_S + late_s)
            self.overlap.note(ran)
            ran.next_began = RUN_S + gap_s
            ran.delivered = RUN_S + late_s
            ways.append(is_beside)
        return ways


@pytest.mark.parametrize(
    ("beside_gap_s", "beside_late_s", "wanted"),
    [
        (0.0001, 0.001, True),
        (0.0010, 0.001, False),
        (0.0030, 0.003, False),
        (0.0008, 0.005, False),  # half a gap is no gain where answers wait for the interpreter
    ],
)
def test_the_cheaper_way_is_kept(beside_gap_s, beside_late_s, wanted):
    worker = Worker(0.001, beside_gap_s, beside_late_s)

    assert set(worker.run(TRIAL)) == {False, True}
    assert set(worker.run((HELD if wanted else HELD_WITHOUT) // 2)[1:]) == {wanted}


def test_both_ways_are_tried_again_after_a_time():
    worker = Worker(0.001, 0.0001)
    worker.run(TRIAL + HELD // 2)
    worker.gap_s, worker.beside_gap_s = 0.0001, 0.001

    worker.run(HELD // 2 + TRIAL + 4)

    assert set(worker.run(HELD_WITHOUT // 2)) == {False}


def test_a_courier_that_lost_is_soon_tried_again():
    worker = Worker(0.001, 0.002)
    worker.run(TRIAL + 2)
    worker.beside_gap_s = 0.0001

    worker.run(HELD_WITHOUT + TRIAL)

    assert set(worker.run(HELD // 2)) == {True}


@pytest.mark.parametrize("size", [2, 32])
def test_both_ways_are_tried_again_when_batches_have_another_size(size):
    worker = Worker(0.001, 0.002)
    worker.run(TRIAL + 2)
    worker.beside_gap_s, worker.size = 0.0001, size

    worker.run(3 * TRIAL)

    assert set(worker.run(HELD // 2)) == {True}


def test_sizes_that_differ_a_little_do_not_start_it_anew():
    worker = Worker(0.001, 0.002)
    worker.run(TRIAL + 2)

    for size in (6, 10) * 100:
        worker.size = size
        assert worker.run(1) == [False]


def test_commands_are_judged_apart():
    worker = Worker(0.001, 0.0001)
    worker.run(TRIAL + 2, command="a")
    worker.beside_gap_s = 0.01
    worker.run(TRIAL + 2, command="b")

    assert worker.overlap.is_wanted("a")
    assert not worker.overlap.is_wanted("b")


def test_batches_without_a_successor_tell_nothing():
    overlap = Overlap()
    for _ in range(3 * TRIAL):
        overlap.begin()
        overlap.note(None)

    assert not overlap.is_wanted("a")


class Mail:
    """Messages for a courier, and what it did."""

    def __init__(self) -> None:
        self.arrived = threading.Semaphore(0)
        self.done: list[str] = []
        self.is_interrupted = False
        self.courier = Courier(self.receive, self.interrupt)

    def receive(self) -> bool:
        self.arrived.acquire()
        if self.is_interrupted:
            return False
        self.done.append("received")
        return True

    def interrupt(self) -> None:
        self.is_interrupted = True
        self.arrived.release()

    def deliver(self) -> None:
        self.done.append("delivered")


def test_answers_are_delivered_before_anything_is_received():
    mail = Mail()
    mail.arrived.release()
    mail.courier.start(mail.deliver)

    while len(mail.done) < 2:
        threading.Event().wait(0.001)
    assert mail.courier.stop()
    assert mail.done == ["delivered", "received"]


def test_one_that_waits_for_a_message_is_called_back():
    mail = Mail()
    mail.courier.start(mail.deliver)

    assert mail.courier.stop()
    assert mail.done == ["delivered"]
    assert not mail.courier.stop()


def test_what_was_delivered_is_let_go_of_before_it_is_called_back():
    mail = Mail()
    batch = threading.Event()  # any object that lambdas and weak references take
    gone = weakref.ref(batch)
    mail.arrived.release()
    mail.courier.start(lambda batch=batch: mail.deliver())
    del batch

    while len(mail.done) < 2:
        threading.Event().wait(0.001)
    assert gone() is None
    assert mail.courier.stop()


def test_what_fails_in_its_thread_is_raised_in_the_models():
    mail = Mail()
    mail.courier.start([].pop)

    with pytest.raises(IndexError):
        mail.courier.stop()
