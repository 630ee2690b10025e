"""A closed loop of clients and workers around a `BatchQueue`, in simulated time."""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from runway_serve.batching import BatchPolicy, BatchQueue

COMMAND = "generate"


def batch_cost_s(size: int) -> float:
    """The model of the measurements: 10 ms a batch and 0.2 ms an item."""
    return 0.010 + 0.0002 * size


@dataclass
class Loop:
    """`clients` that send again after each answer, and `workers` that run batches.

    `run` plays the dispatcher: it takes when a worker is idle, after each event.
    """

    clients: int
    workers: int = 1
    max_batch_size: int = 32
    turnaround_s: float = 0.0003
    cost_s: Callable[[int], float] = batch_cost_s
    seed: int = 1
    now: float = 0.0
    idle: int = 0
    latencies: list[float] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    events: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        policy = BatchPolicy(max_batch_size=self.max_batch_size, max_wait_ms=5, max_queue=10_000)
        self.queue: BatchQueue[int] = BatchQueue({COMMAND: policy})
        self.random = random.Random(self.seed)
        self.sent: dict[int, float] = {}
        self.order = 0
        self.idle = self.workers

    def run(self, duration_s: float, warm_up_s: float = 0.5) -> None:
        for client in range(self.clients):
            self.at(self.random.uniform(0, self.turnaround_s), lambda c=client: self.send(c))
        warm = False
        while self.events and self.now < warm_up_s + duration_s:
            self.now, _, event = heapq.heappop(self.events)
            if not warm and self.now >= warm_up_s:
                warm = True
                self.latencies.clear()
                self.sizes.clear()
            event()
            self.dispatch()

    def throughput(self, duration_s: float) -> float:
        self.run(duration_s)
        return len(self.latencies) / duration_s

    def ceiling(self) -> float:
        """Tasks a second with batches as full as the clients allow and nothing between them."""
        size = min(self.max_batch_size, self.clients / self.workers)
        return self.workers * size / self.cost_s(size)

    def at(self, time: float, event: Callable[[], None]) -> None:
        self.order += 1
        heapq.heappush(self.events, (time, self.order, event))

    def send(self, client: int) -> None:
        self.sent[client] = self.now
        self.queue.put(COMMAND, client, self.now)

    def dispatch(self) -> None:
        while self.idle and (batch := self.queue.take(self.now)):
            self.idle -= 1
            self.sizes.append(len(batch.tasks))
            run_s = self.cost_s(len(batch.tasks))
            self.at(self.now + run_s, lambda t=batch.tasks, s=run_s: self.finish(t, s))
        if self.idle and (wake := self.queue.next_wake(self.now)) is not None:
            self.at(wake, lambda: None)

    def finish(self, tasks: list[int], run_s: float) -> None:
        self.idle += 1
        for client in tasks:
            self.latencies.append(self.now - self.sent[client])
            back_at = self.now + self.random.uniform(0, self.turnaround_s)
            self.at(back_at, lambda c=client: self.send(c))
        self.queue.freed(COMMAND, len(tasks), run_s, self.now)


@dataclass
class FrontLoop(Loop):
    """The same with a front that reads requests and writes answers one by one, as the dispatcher's does."""

    answer_s: float = 40e-6
    read_s: float = 25e-6
    hop_s: float = 200e-6
    is_free_at: float = 0.0

    def in_front(self, takes_s: float, then: Callable[[], None]) -> None:
        self.is_free_at = max(self.now, self.is_free_at) + takes_s
        self.at(self.is_free_at, then)

    def send(self, client: int) -> None:
        self.sent[client] = self.now
        self.in_front(self.read_s, lambda: self.queue.put(COMMAND, client, self.now))

    def dispatch(self) -> None:
        while self.idle and (batch := self.queue.take(self.now)):
            self.idle -= 1
            self.sizes.append(len(batch.tasks))
            run_s = self.cost_s(len(batch.tasks))
            heard_at = self.now + run_s + self.hop_s
            self.at(
                heard_at,
                lambda t=batch.tasks, s=run_s: self.in_front(0, lambda: self.finish(t, s)),
            )
        if self.idle and (wake := self.queue.next_wake(self.now)) is not None:
            self.at(max(wake, self.is_free_at), lambda: None)

    def finish(self, tasks: list[int], run_s: float) -> None:
        self.idle += 1
        self.queue.freed(COMMAND, len(tasks), run_s, self.now)
        self.answer_all(tasks)

    def answer_all(self, tasks: list[int]) -> None:
        for client in tasks:
            self.in_front(self.answer_s, lambda c=client: self.answer(c))
        self.in_front(0, lambda: self.queue.answered(COMMAND, self.now))

    def answer(self, client: int) -> None:
        self.latencies.append(self.now - self.sent[client])
        back_at = self.now + self.random.uniform(0, self.turnaround_s)
        self.at(back_at, lambda: self.send(client))


@dataclass
class AheadLoop(FrontLoop):
    """The same with one worker, which is sent its next batch shortly before the present one ends, as by the feeder."""

    ahead_s: float = 0.005
    looks_ahead: bool = True
    running: list[int] = field(default_factory=list)
    next_tasks: list[int] = field(default_factory=list)
    nears_end_at: float = 0.0
    sent_ahead: int = 0

    def dispatch(self) -> None:
        if self.idle and (batch := self.queue.take(self.now)):
            self.idle = 0
            self.begin(batch.tasks, self.hop_s)
        elif self.running and not self.next_tasks and self.now >= self.nears_end_at:
            size = self.queue.form_next(COMMAND, len(self.running))
            if size and (batch := self.queue.take(self.now, lambda _: size)):
                self.next_tasks = batch.tasks
                self.sent_ahead += 1
        if self.idle and (wake := self.queue.next_wake(self.now)) is not None:
            self.at(max(wake, self.is_free_at), lambda: None)

    def begin(self, tasks: list[int], hop_s: float) -> None:
        self.running = tasks
        self.sizes.append(len(tasks))
        run_s = self.cost_s(len(tasks))
        expected_s = self.queue.expected_s(COMMAND, len(tasks))
        self.nears_end_at = self.now + expected_s - self.ahead_s if self.looks_ahead else math.inf
        self.at(self.nears_end_at, lambda: None)
        self.at(self.now + run_s + hop_s, lambda: self.in_front(0, lambda: self.end(tasks, run_s)))

    def end(self, tasks: list[int], run_s: float) -> None:
        following, self.next_tasks, self.running = self.next_tasks, [], []
        self.idle = 0 if following else 1
        self.queue.freed(COMMAND, len(tasks), run_s, self.now, has_next=bool(following))
        if following:
            self.begin(following, 0.0)
        self.answer_all(tasks)


@dataclass
class OpenLoop(AheadLoop):
    """Requests that come at random, `rate` a second, whatever becomes of those before."""

    rate: float = 100.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.sent_count = self.clients
        self.at(0.0, self.arrive)

    def arrive(self) -> None:
        self.sent_count += 1
        self.send(self.sent_count)
        self.at(self.now + self.random.expovariate(self.rate), self.arrive)

    def answer(self, client: int) -> None:
        self.latencies.append(self.now - self.sent.pop(client))
