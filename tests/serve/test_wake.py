"""The dispatcher's timer: set anew at every look, though mostly to no effect."""

from __future__ import annotations

import pytest

from runway_serve.wake import Wake


class Clock:
    """An event loop's timers, which go off when told to."""

    def __init__(self) -> None:
        self.timers: list[Timer] = []

    def call_at(self, due, call):
        self.timers.append(Timer(due, call))
        return self.timers[-1]

    def pending(self) -> list[float]:
        return [timer.due for timer in self.timers if not timer.is_over]

    def go_off(self) -> None:
        (timer,) = (timer for timer in self.timers if not timer.is_over)
        timer.is_over = True
        timer.call()


class Timer:
    def __init__(self, due, call) -> None:
        self.due, self.call, self.is_over = due, call, False

    def cancel(self) -> None:
        self.is_over = True


@pytest.fixture
def clock():
    return Clock()


def test_it_goes_off_at_the_earliest_time_planned(clock):
    calls = []
    wake = Wake(clock, lambda: calls.append("now"))

    for due in (5.0, 7.0, 3.0, 3.0, 4.0):
        wake.plan(due)

    assert clock.pending() == [3.0]
    clock.go_off()
    assert (calls, clock.pending()) == (["now"], [])


def test_who_is_called_may_plan_any_time_again(clock):
    wake = Wake(clock, lambda: wake.plan(9.0))
    wake.plan(2.0)

    clock.go_off()

    assert clock.pending() == [9.0]


def test_nothing_planned_is_no_call(clock):
    wake = Wake(clock, lambda: None)
    wake.plan(2.0)
    wake.plan(None)
    assert clock.pending() == []

    wake.plan(8.0)
    assert clock.pending() == [8.0]
