import pytest

from runway_serve.batching import BatchPolicy, BatchQueue, LaneFullError


def queue_of(**sizes: int) -> BatchQueue:
    return BatchQueue({c: BatchPolicy(max_batch_size=n, max_wait_ms=5) for c, n in sizes.items()})


def tasks_of(batch) -> list | None:
    return batch and batch.tasks


def test_a_task_that_meets_an_idle_worker_goes_at_once():
    queue = queue_of(draw=8)
    queue.put("draw", "a", now=0.0)

    batch = queue.take(now=0.0)

    assert (batch.command, batch.tasks) == ("draw", ["a"])
    assert queue.take(now=0.0) is None


def test_tasks_that_came_while_workers_were_busy_go_together_up_to_max_batch_size():
    queue = queue_of(draw=3)
    for task in "abcd":
        queue.put("draw", task, now=0.0)

    assert tasks_of(queue.take(now=0.01)) == ["a", "b", "c"]
    assert tasks_of(queue.take(now=0.01)) == ["d"]


def test_the_default_policy_serves_commands_without_one():
    queue = BatchQueue({}, BatchPolicy(max_batch_size=2, max_queue=2))
    queue.put("other", "a", now=0.0)
    queue.put("other", "b", now=0.0)

    with pytest.raises(LaneFullError) as error:
        queue.put("other", "c", now=0.0)

    assert (error.value.command, error.value.max_queue, error.value.code) == ("other", 2, 503)
    assert tasks_of(queue.take(now=0.0)) == ["a", "b"]


def test_a_full_lane_does_not_keep_other_commands_out():
    queue = BatchQueue({"draw": BatchPolicy(max_queue=1), "say": BatchPolicy(max_queue=1)})
    queue.put("draw", "a", now=0.0)

    queue.put("say", "b", now=0.0)

    assert queue.depth() == 2


def test_a_refused_task_leaves_no_trace():
    queue = BatchQueue({"draw": BatchPolicy(max_queue=1)})
    queue.put("draw", "a", now=0.0)
    with pytest.raises(LaneFullError):
        queue.put("draw", "b", now=0.0, deadline=1.0)

    assert queue.expire(now=2.0) == []
    assert not queue.cancel("b")


def test_the_same_task_cannot_wait_twice():
    queue = queue_of(draw=8, say=1)
    queue.put("draw", "a", now=0.0)

    with pytest.raises(ValueError, match="'a' waits already"):
        queue.put("say", "a", now=0.0)


class TestLimit:
    def test_a_batch_is_no_larger_than_the_worker_has_room_for(self):
        queue = queue_of(draw=8)
        for task in "abc":
            queue.put("draw", task, now=0.0)

        assert tasks_of(queue.take(now=0.0, limit=lambda command: 2)) == ["a", "b"]

    def test_a_lane_the_worker_cannot_take_is_skipped(self):
        queue = queue_of(draw=8, say=1)
        queue.put("draw", "a", now=0.0)
        queue.put("say", "b", now=1.0)

        batch = queue.take(now=1.0, limit={"draw": 0, "say": 1}.get)

        assert batch.tasks == ["b"]
        assert queue.depth("draw") == 1


class TestChoiceOfLane:
    def test_the_lane_with_the_oldest_task_goes_first(self):
        queue = queue_of(draw=8, say=1)
        queue.put("say", "b", now=0.0)
        for task in range(8):
            queue.put("draw", task, now=0.1)

        assert queue.take(now=0.2).command == "say"

    def test_a_busy_command_does_not_starve_another(self):
        queue = queue_of(draw=4, say=1)
        served = []
        queue.put("say", "rare", now=0.05)
        for step in range(20):
            for number in range(4):
                queue.put("draw", (step, number), now=step / 100)
            batch = queue.take(now=step / 100)
            served.append(batch.command)
            queue.freed(batch.command, len(batch.tasks), 0.01, now=step / 100)

        assert "say" in served[:8]

    def test_a_lane_that_fills_does_not_hold_up_a_ripe_one(self):
        queue = queue_of(draw=8, say=1)
        queue.freed("draw", size=8, run_s=0.01, now=0.0)
        queue.put("draw", "a", now=0.0)
        queue.put("say", "b", now=0.0001)

        assert queue.take(now=0.0001).command == "say"
        assert queue.take(now=0.0001) is None


class TestLeaving:
    def test_a_cancelled_task_is_not_taken(self):
        queue = queue_of(draw=8)
        for task in "abc":
            queue.put("draw", task, now=0.0)

        assert queue.cancel("b")
        assert not queue.cancel("b")
        assert not queue.cancel("unknown")
        assert tasks_of(queue.take(now=0.0)) == ["a", "c"]
        assert not queue.cancel("a")

    def test_a_cancelled_task_makes_room(self):
        queue = BatchQueue({"draw": BatchPolicy(max_queue=1)})
        queue.put("draw", "a", now=0.0)
        queue.cancel("a")

        queue.put("draw", "b", now=0.0)

        assert queue.depth("draw") == 1

    def test_a_task_expires_at_its_deadline_and_not_before(self):
        queue = queue_of(draw=8)
        queue.put("draw", "late", now=0.0, deadline=2.0)
        queue.put("draw", "early", now=0.0, deadline=1.0)
        queue.put("draw", "patient", now=0.0)

        assert queue.next_wake(now=0.0) == 1.0
        assert queue.expire(now=0.999) == []
        assert queue.expire(now=1.0) == ["early"]
        assert queue.next_wake(now=1.0) == 2.0
        assert queue.expire(now=5.0) == ["late"]
        assert queue.next_wake(now=5.0) is None
        assert tasks_of(queue.take(now=5.0)) == ["patient"]

    def test_a_deadline_that_passed_asks_for_a_wake_now(self):
        queue = queue_of(draw=8)
        queue.put("draw", "a", now=0.0, deadline=1.0)

        assert queue.next_wake(now=3.0) == 3.0

    def test_tasks_that_left_do_not_wake_the_dispatcher(self):
        queue = queue_of(draw=1)
        queue.put("draw", "taken", now=0.0, deadline=1.0)
        queue.put("draw", "cancelled", now=0.0, deadline=1.0)
        queue.take(now=0.0)
        queue.cancel("cancelled")

        assert queue.next_wake(now=0.0) is None

    def test_deadlines_of_tasks_that_left_are_forgotten(self):
        queue = queue_of(draw=1)
        for task in range(10_000):
            queue.put("draw", task, now=0.0, deadline=60.0)
            queue.take(now=0.0)

        assert len(queue._deadlines) < 100


class TestRequeue:
    def test_requeued_tasks_go_first_in_their_order(self):
        queue = queue_of(draw=2)
        for task in "abcd":
            queue.put("draw", task, now=0.0)
        batch = queue.take(now=0.0)

        queue.requeue("draw", batch.tasks, now=1.0)

        assert tasks_of(queue.take(now=1.0)) == ["a", "b"]
        assert tasks_of(queue.take(now=1.0)) == ["c", "d"]

    def test_requeued_tasks_do_not_count_against_the_bound(self):
        queue = BatchQueue({"draw": BatchPolicy(max_queue=1)})
        queue.put("draw", "a", now=0.0)
        batch = queue.take(now=0.0)
        queue.put("draw", "b", now=0.0)

        queue.requeue("draw", batch.tasks, now=0.0)

        assert queue.depth("draw") == 2
        with pytest.raises(LaneFullError):
            queue.put("draw", "c", now=0.0)

    def test_a_requeued_task_keeps_the_deadline_it_is_given(self):
        queue = queue_of(draw=2)

        queue.requeue("draw", ["a", "b"], now=0.0, deadlines=[1.0, None])

        assert queue.expire(now=1.0) == ["a"]

    def test_a_lane_is_as_old_as_before(self):
        queue = queue_of(draw=1)
        queue.put("draw", "a", now=0.0)
        queue.put("draw", "b", now=0.5)
        batch = queue.take(now=1.0)

        queue.requeue("draw", batch.tasks, now=2.0)

        assert queue.oldest_age(now=2.0) == 1.5


def test_drain_all_empties_the_queue():
    queue = queue_of(draw=8, say=1)
    queue.put("draw", "a", now=0.0, deadline=1.0)
    queue.put("say", "b", now=0.0)

    assert sorted(queue.drain_all()) == ["a", "b"]
    assert (queue.depth(), queue.next_wake(0.0), queue.take(0.0)) == (0, None, None)
    assert queue.expire(now=2.0) == []


def test_depth_and_age_count_what_waits():
    queue = queue_of(draw=8, say=1)
    assert (queue.depth(), queue.depth("unknown"), queue.oldest_age(9.0)) == (0, 0, 0.0)

    queue.put("draw", "a", now=1.0)
    queue.put("say", "b", now=2.0)

    assert (queue.depth(), queue.depth("draw"), queue.oldest_age(3.0)) == (2, 1, 2.0)
