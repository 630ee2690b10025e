"""Where the time of a request goes: starts a server with `RW_TRACE`, loads it with wrk, prints microseconds a hop.

    python benchmarks/hops.py                 # echo of a 128-float vector, 1 and 32 clients
    python benchmarks/hops.py --model benchmarks/rivals/runway_serve/invert.py --command invert --body body.json

Marks cost some microseconds a request themselves. What is not in the table is the client, the kernel's part of its
connection, and the wake-up of the front.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

MODEL = """
import runway
from runway.data_types import number, vector

@runway.command("echo", inputs={"vector": vector(length=128)}, outputs={"vector": vector(length=128)})
def echo(model, inputs):
    return inputs["vector"]

runway.run()
"""
LUA = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
local file = io.open("{body}", "rb")
wrk.body = file:read("*a")
file:close()
"""
HOPS = (
    ("head", "body", "front: the body arrives"),
    ("body", "decoded", "front: JSON, types, arrays"),
    ("decoded", "given", "front: the queue"),
    ("given", "packed", "front: pack and hand to ZeroMQ"),
    ("packed", "taken", "ZeroMQ to the worker, unpack"),
    ("taken", "begun", "worker: calls before it in the message"),
    ("begun", "called", "worker: inputs restored"),
    ("called", "returned", "worker: the author's function"),
    ("returned", "ran", "worker: outputs prepared"),
    ("ran", "sent", "worker: calls after it, pack, hand to ZeroMQ"),
    ("sent", "received", "ZeroMQ to the front, unpack"),
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
        model = options.model or _written(folder / "echo.py", MODEL)
        vector = json.dumps({"vector": [index / 128 for index in range(128)]})
        body = options.body or _written(folder / "body.json", vector)
        lua = _written(folder / "post.lua", LUA.format(body=body.resolve()))
        url = f"http://127.0.0.1:{options.port}/{options.command}"
        for clients in (int(text) for text in options.clients.split(",")):
            trace = folder / f"trace-{clients}"
            with served(model, options.port, trace):
                wrk = ["wrk", "-t1", f"-c{clients}", f"-d{options.seconds}", "-s", lua, url]
                subprocess.run(wrk, check=True, stdout=subprocess.DEVNULL)
            report(clients, joined(trace))


def _written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@contextlib.contextmanager
def served(model: Path, port: int, trace: Path) -> Iterator[None]:
    """A server with one CPU worker that traces into a folder."""
    command = [sys.executable, "-m", "runway_serve", str(model), "--gpus", "none"]
    environment = {**os.environ, "RW_TRACE": str(trace)}
    server = subprocess.Popen(
        [*command, "--port", str(port)], env=environment, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(600):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/ready").close()
                break
            time.sleep(0.1)
        else:
            sys.exit("the server did not get ready within a minute")
        yield
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()


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
