"""Whatever happens in whatever order, no task is lost, doubled, or overtaken in its lane."""

from collections import deque

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from runway_serve.batching import BatchPolicy, BatchQueue, LaneFullError

BOUND = 6
POLICIES = {
    "single": BatchPolicy(max_queue=BOUND),
    "batched": BatchPolicy(max_batch_size=4, max_wait_ms=5, max_queue=BOUND),
}
commands = st.sampled_from(sorted(POLICIES))


class QueueMachine(RuleBasedStateMachine):
    """The queue beside a model of it: a plain list a lane."""

    def __init__(self) -> None:
        super().__init__()
        self.queue: BatchQueue[int] = BatchQueue(POLICIES)
        self.lanes: dict[str, deque[int]] = {command: deque() for command in POLICIES}
        self.deadlines: dict[int, float | None] = {}
        self.running: list[tuple[str, list[int]]] = []
        self.now = 0.0
        self.made = 0

    @rule(step=st.sampled_from([0.0, 0.0002, 0.0011, 0.3]))
    def time_passes(self, step):
        self.now += step

    @rule(command=commands, ttl=st.none() | st.sampled_from([0.0, 0.001, 0.5]))
    def put(self, command, ttl):
        self.made += 1
        deadline = None if ttl is None else self.now + ttl
        try:
            self.queue.put(command, self.made, self.now, deadline)
        except LaneFullError:
            assert len(self.lanes[command]) >= BOUND
            return
        assert len(self.lanes[command]) < BOUND
        self.lanes[command].append(self.made)
        self.deadlines[self.made] = deadline

    @rule(room=st.integers(0, 5))
    def take(self, room):
        batch = self.queue.take(self.now, lambda command: room)
        if batch is None:
            return
        lane = self.lanes[batch.command]
        size = min(room, POLICIES[batch.command].max_batch_size, len(lane))
        assert batch.tasks == [lane.popleft() for _ in range(size)]
        assert batch.tasks
        self.running.append((batch.command, batch.tasks))

    @rule(index=st.integers(0, 20), run_s=st.sampled_from([0.0001, 0.002, 0.010]))
    def finish(self, index, run_s):
        if self.running:
            command, tasks = self.running.pop(index % len(self.running))
            self.queue.freed(command, len(tasks), run_s, self.now)

    @rule(index=st.integers(0, 20))
    def lose(self, index):
        if self.running:
            command, tasks = self.running.pop(index % len(self.running))
            deadlines = [self.deadlines[task] for task in tasks]
            self.queue.requeue(command, tasks, self.now, deadlines)
            self.lanes[command].extendleft(reversed(tasks))

    @rule(task=st.integers(1, 60))
    def cancel(self, task):
        lane = next((lane for lane in self.lanes.values() if task in lane), None)
        assert self.queue.cancel(task) is (lane is not None)
        if lane is not None:
            lane.remove(task)

    @rule()
    def expire(self):
        expected = [
            task
            for lane in self.lanes.values()
            for task in lane
            if self.deadlines[task] is not None and self.deadlines[task] <= self.now
        ]
        assert sorted(self.queue.expire(self.now)) == sorted(expected)
        for lane in self.lanes.values():
            for task in set(expected) & set(lane):
                lane.remove(task)

    @rule()
    def rest_until_something_happens(self):
        """No task waits for ever: either it can be taken now, or there is a time to wake up."""
        wake = self.queue.next_wake(self.now)
        if wake is not None:
            assert wake >= self.now
            self.now = wake
        elif self.queue.depth():
            batch = self.queue.take(self.now)
            assert batch.tasks == [self.lanes[batch.command].popleft() for _ in batch.tasks]
            self.running.append((batch.command, batch.tasks))

    @invariant()
    def depths_agree(self):
        for command, lane in self.lanes.items():
            assert self.queue.depth(command) == len(lane)
        assert self.queue.depth() == sum(map(len, self.lanes.values()))

    def teardown(self):
        waiting = [task for lane in self.lanes.values() for task in lane]
        assert sorted(self.queue.drain_all()) == sorted(waiting)


QueueMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
test_nothing_is_lost_doubled_or_overtaken = QueueMachine.TestCase
