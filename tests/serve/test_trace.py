"""`RW_TRACE` writes down where the time of each request went."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.hops import HOPS, joined
from tests.serving import serve

LIFE = Path(__file__).parents[1] / "scripts" / "life.py"
BATCH_S = 0.05  # what the batched command of that script sleeps


def test_every_hop_of_every_request_is_marked_in_order(tmp_path):
    environment = {"RW_TRACE": str(tmp_path)}
    with serve(LIFE, "--gpus", "none", env=environment) as server, ThreadPoolExecutor(8) as pool:
        for x in range(100):  # what a worker that is stopped still holds is lost
            assert server.post("half", {"x": x if x != 66 else 0}).status_code == 200
        assert set(pool.map(lambda x: server.post("double", {"x": x}).status_code, range(100, 200)))
    tasks = joined(tmp_path)

    assert len(tasks) >= 100
    for task in tasks:
        for start, end, what in HOPS:
            # a receiver may be quicker than the sender's return
            if not what.endswith("woken, unpack"):
                assert task[end] >= task[start], (start, end)
    assert any(task["returned"] - task["called"] >= BATCH_S for task in tasks)


def test_without_it_nothing_is_written(tmp_path):
    with serve(LIFE, "--gpus", "none", cwd=tmp_path) as server:
        assert server.post("half", {"x": 1}).json() == {"y": 0.5}
    assert list(tmp_path.iterdir()) == []
