"""Where the time of a request goes: starts a server with `RW_TRACE`, loads it with wrk, prints microseconds a hop.

    python -m benchmarks.hops                 # echo of a 128-float vector, 1 and 32 clients
    python -m benchmarks.hops --model model.py --command invert --body body.json

Marks cost some microseconds a request themselves. What is not in the table is the client, the kernel's part of its
connection, and the wake-up of the front.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import tempfile
from pathlib import Path

from benchmarks.serving import ECHO, VECTOR_BODY, post_script, served, written

HOPS = (
    ("head", "body", "front: the body arrives"),
    ("body", "decoded", "front: JSON, types, arrays"),
    ("decoded", "given", "front: the queue"),
    ("given", "packed", "front: pack, write to the worker"),
    ("packed", "taken", "worker: woken, unpack"),
    ("taken", "begun", "worker: calls before it in the message"),
    ("begun", "called", "worker: inputs restored"),
    ("called", "returned", "worker: the author's function"),
    ("returned", "ran", "worker: outputs prepared"),
    ("ran", "sent", "worker: calls after it, pack, write"),
    ("sent", "received", "front: woken, unpack"),
    ("received", "heard", "front: task settled"),
    ("heard", "encoded", "front: outputs to JSON"),
    ("encoded", "written", "front: response written"),
    ("head", "written", "all of it"),
)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, help="model script (default: an echo)")
    parser.add_argument("--command", default="echo")
    parser.add_argument("--body", type=Path, help="file with the JSON body")
    parser.add_argument("--clients", default="1,32")
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--port", type=int, default=9377)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = options.model or written(folder / "echo.py", ECHO)
        lua = post_script(folder, options.body or written(folder / "body.json", VECTOR_BODY))
        url = f"http://127.0.0.1:{options.port}/{options.command}"
        for clients in (int(text) for text in options.clients.split(",")):
            trace = folder / f"trace-{clients}"
            with served(model, options.port, "--gpus", "none", RW_TRACE=str(trace)):
                wrk = ["wrk", "-t1", f"-c{clients}", f"-d{options.seconds}", "-s", lua, url]
                subprocess.run(wrk, check=True, stdout=subprocess.DEVNULL)
            report(clients, joined(trace))


def joined(trace: Path) -> list[dict[str, float]]:
    """The marks of every task that front and worker both wrote down."""
    marks: dict[str, dict[int, dict[str, float]]] = {"front": {}, "worker": {}}
    for path in trace.iterdir():
        for line in path.read_text().splitlines():
            entry = json.loads(line)
            marks[path.name.partition("-")[0]][entry.pop("task")] = entry
    return [
        {**f, **marks["worker"][task]}
        for task, f in marks["front"].items()
        if task in marks["worker"]
    ]


def report(clients: int, tasks: list[dict[str, float]]) -> None:
    """Print the table of one load."""
    print(f"\n{clients} clients, {len(tasks)} requests; microseconds{'p50':>22}{'p90':>9}")
    for start, end, what in HOPS:
        times = sorted((task[end] - task[start]) * 1e6 for task in tasks)
        print(f"  {what:48}{statistics.median(times):9.1f}{times[len(times) * 9 // 10]:9.1f}")


if __name__ == "__main__":
    main()
