"""The fill window, seen through the queue: when an idle worker waits, and when it must not."""

from runway_serve.batching import BatchPolicy, BatchQueue

MS = 0.001


def queue_of(size: int = 8, wait_ms: float = 5.0) -> BatchQueue:
    return BatchQueue({"draw": BatchPolicy(max_batch_size=size, max_wait_ms=wait_ms)})


def freed(queue: BatchQueue, size: int, run_s: float = 0.010, now: float = 0.0) -> None:
    """Run one batch of `size` from `now - run_s` to `now`."""
    for number in range(size):
        queue.put("draw", ("run", number), now - run_s)
    assert len(queue.take(now - run_s).tasks) == size
    queue.freed("draw", size, run_s, now)


def test_a_freed_worker_waits_until_its_clients_are_back():
    queue = queue_of()
    freed(queue, size=3)

    queue.put("draw", "a", now=0.2 * MS)
    queue.put("draw", "b", now=0.4 * MS)
    assert queue.take(now=0.4 * MS) is None

    queue.put("draw", "c", now=0.6 * MS)
    assert queue.take(now=0.6 * MS).tasks == ["a", "b", "c"]


def test_one_client_never_waits():
    queue = queue_of()
    freed(queue, size=1)

    queue.put("draw", "a", now=0.3 * MS)

    assert queue.take(now=0.3 * MS).tasks == ["a"]


def test_the_target_counts_what_queued_behind_the_batch():
    queue = queue_of()
    queue.put("draw", "first", now=0.0)
    queue.take(now=0.0)
    queue.put("draw", "a", now=1 * MS)
    queue.put("draw", "b", now=1 * MS)
    queue.freed("draw", 1, 0.010, now=10 * MS)

    assert queue.take(now=10 * MS) is None

    queue.put("draw", "c", now=10.2 * MS)
    assert queue.take(now=10.2 * MS).tasks == ["a", "b", "c"]


def test_a_full_lane_goes_without_waiting():
    queue = queue_of(size=2)
    queue.put("draw", "first", now=0.0)
    queue.take(now=0.0)
    for task in "abc":
        queue.put("draw", task, now=1 * MS)

    queue.freed("draw", 1, 0.010, now=10 * MS)

    assert queue.take(now=10 * MS).tasks == ["a", "b"]


def test_the_window_lapses_when_arrivals_pause_for_the_gap():
    queue = queue_of()
    freed(queue, size=4)
    queue.put("draw", "a", now=0.5 * MS)

    assert queue.next_wake(now=0.5 * MS) == 1.5 * MS
    assert queue.take(now=1.49 * MS) is None
    assert queue.take(now=1.5 * MS).tasks == ["a"]


def test_the_window_lapses_after_max_wait_ms_though_tasks_still_arrive():
    queue = queue_of(size=32, wait_ms=2.0)
    freed(queue, size=32)
    for step in range(1, 5):
        queue.put("draw", step, now=step * 0.45 * MS)

    assert queue.next_wake(now=1.8 * MS) == 2 * MS
    assert queue.take(now=1.9 * MS) is None
    assert queue.take(now=2.0 * MS).tasks == [1, 2, 3, 4]


def test_the_next_task_goes_at_once_after_the_window_lapsed():
    queue = queue_of()
    freed(queue, size=4)

    assert queue.next_wake(now=0.0) is None  # nothing to take when it lapses
    queue.put("draw", "a", now=3 * MS)

    assert queue.take(now=3 * MS).tasks == ["a"]
    queue.put("draw", "b", now=3.1 * MS)
    assert queue.take(now=3.1 * MS).tasks == ["b"]


def test_a_window_that_reached_its_target_stays_closed():
    queue = queue_of()
    freed(queue, size=2)
    queue.put("draw", "a", now=0.1 * MS)
    queue.put("draw", "b", now=0.1 * MS)

    queue.cancel("b")

    assert queue.take(now=0.1 * MS).tasks == ["a"]


def test_a_worker_with_room_for_less_does_not_wait_for_more():
    queue = queue_of()
    freed(queue, size=4)
    queue.put("draw", "a", now=0.1 * MS)
    queue.put("draw", "b", now=0.1 * MS)

    assert queue.take(now=0.1 * MS, limit=lambda command: 3) is None
    assert queue.take(now=0.1 * MS, limit=lambda command: 2).tasks == ["a", "b"]


def test_the_gap_shrinks_with_the_command():
    queue = queue_of()
    freed(queue, size=4, run_s=2 * MS)
    queue.put("draw", "a", now=0.0)

    assert queue.next_wake(now=0.0) == 0.5 * MS


def test_a_command_of_less_than_a_millisecond_never_waits():
    queue = queue_of()
    freed(queue, size=4, run_s=0.9 * MS)
    queue.put("draw", "a", now=0.0)

    assert queue.take(now=0.0).tasks == ["a"]


def test_no_wait_is_made_when_max_wait_ms_is_zero():
    queue = queue_of(wait_ms=0)
    freed(queue, size=4)
    queue.put("draw", "a", now=0.0)

    assert queue.take(now=0.0).tasks == ["a"]


def test_a_lane_of_one_never_waits():
    queue = queue_of(size=1)
    freed(queue, size=1)
    queue.put("draw", "a", now=0.0)

    assert queue.next_wake(now=0.0) is None
    assert queue.take(now=0.0).tasks == ["a"]


def test_a_worker_waits_only_for_its_share_while_another_one_runs():
    """6 clients were answered, 2 run at the other worker: a share is 4 of the 8."""
    queue = queue_of()
    for task in range(2):
        queue.put("draw", ("other", task), now=-5 * MS)
    queue.take(now=-5 * MS)
    freed(queue, size=6)

    for task in range(3):
        queue.put("draw", task, now=0.1 * MS)
    assert queue.take(now=0.1 * MS) is None
    queue.put("draw", 3, now=0.1 * MS)

    assert queue.take(now=0.1 * MS).tasks == [0, 1, 2, 3]


def test_two_workers_that_get_free_together_share_what_comes_back():
    queue = queue_of()
    for worker in range(2):
        for task in range(4):
            queue.put("draw", (worker, task), now=-10 * MS)
        queue.take(now=-10 * MS)
    queue.freed("draw", 4, 0.010, now=0.0)
    queue.freed("draw", 4, 0.010, now=0.1 * MS)

    sizes = []
    for task in range(8):
        queue.put("draw", task, now=0.2 * MS)
        if batch := queue.take(now=0.2 * MS):
            sizes.append(len(batch.tasks))

    assert sizes == [4, 4]


def test_a_batch_that_was_never_freed_is_forgotten():
    queue = queue_of()
    queue.put("draw", "lost", now=-3.0)
    queue.take(now=-3.0)
    freed(queue, size=4)

    for task in range(3):
        queue.put("draw", task, now=0.1 * MS)

    assert queue.take(now=0.1 * MS) is None  # its share is all four, not half of five


def test_a_requeued_batch_does_not_count_as_running():
    queue = queue_of()
    queue.put("draw", "a", now=-5 * MS)
    batch = queue.take(now=-5 * MS)
    queue.requeue("draw", batch.tasks, now=-4 * MS)
    queue.cancel("a")
    freed(queue, size=4)

    for task in range(3):
        queue.put("draw", task, now=0.1 * MS)

    assert queue.take(now=0.1 * MS) is None


# -- what may go to a worker before its batch ends


def taking_turns(half: int = 4) -> tuple[BatchQueue, float]:
    """A queue whose clients come back in 8 ms to batches of 10 ms, in two halves; and the time a batch began."""
    queue, now = queue_of(size=32), 0.0
    for number in range(half):
        queue.put("draw", ("a", number), now)
    queue.take(now)
    for turn in range(20):
        for number in range(half):
            queue.put("draw", (turn, number), now + 8 * MS)
        now += 10 * MS
        queue.freed("draw", half, 0.010, now)
        batch = queue.take(now) or queue.take(now + 5 * MS)  # early on a window opens
        assert len(batch.tasks) == half
    return queue, now


def test_the_next_batch_is_formed_when_all_of_the_one_before_are_back():
    queue, now = taking_turns()

    sizes = []
    for number in range(4):
        queue.put("draw", number, now + 8 * MS)
        sizes.append(queue.form_next("draw", running=4))

    assert sizes == [0, 0, 0, 4]


def test_a_much_smaller_batch_is_not_sent_ahead():
    queue, now = taking_turns()
    queue.freed("draw", 1, 0.010, now)
    queue.put("draw", "a", now + 8 * MS)

    assert queue.form_next("draw", running=7) == 0


def test_nothing_is_sent_ahead_while_others_come_after_a_batch_was_formed():
    queue, now = taking_turns()
    sizes = []
    for turn in range(40):
        for number in range(4):
            queue.put("draw", ("back", turn, number), now + 8 * MS)
        sizes.append(queue.form_next("draw", running=4))
        if turn < 5:
            queue.put("draw", ("late", turn), now + 9 * MS)
            queue.cancel(("late", turn))
        now += 10 * MS
        queue.freed("draw", 4, 0.010, now)
        batch = queue.take(now) or queue.take(now + 5 * MS)
        assert len(batch.tasks) == 4

    assert sizes[0] == 4
    assert set(sizes[1:10]) == {0}
    assert set(sizes[-10:]) == {4}


def test_a_lane_whose_batches_take_no_turns_sends_nothing_ahead():
    policy = BatchPolicy(max_batch_size=8, takes_turns=False)
    queue = BatchQueue({"draw": policy})
    freed(queue, size=4)
    for number in range(4):
        queue.put("draw", number, now=9 * MS)

    assert queue.form_next("draw", running=4) == 0
