"""CPU time and memory by process and thread: what the capacity model of docs/performance.md is made of.

    python -m benchmarks.front_budget            # echo of 128 floats, 512x512 JPEG inverted; 32 clients

A thread's time is that of /proc/PID/task, in steps of 10 ms. Needs wrk.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path

from benchmarks.memory import MODEL, held_bytes, photograph, process_names
from benchmarks.serving import VECTOR_BODY, post_script, served, written

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
THREADS = {"codec": "codec threads", "ZMQ": "ZeroMQ threads", "WSGI": "Flask threads"}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=9376)
    parser.add_argument("--seconds", type=int, default=6)
    parser.add_argument("--clients", type=int, default=32)
    options = parser.parse_args()
    bodies = {"echo": VECTOR_BODY, "invert": json.dumps({"image": photograph()})}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = written(folder / "model.py", MODEL)
        with served(model, options.port, "--gpus", "none") as server:
            for command, body in bodies.items():
                lua = post_script(folder, written(folder / f"{command}.json", body))
                url = f"http://127.0.0.1:{options.port}/{command}"
                wrk = [
                    "wrk",
                    "-t1",
                    f"-c{options.clients}",
                    f"-d{options.seconds}",
                    "-s",
                    str(lua),
                    url,
                ]
                names = process_names(server.pid)
                subprocess.run(wrk, check=True, capture_output=True)  # a warm-up
                time.sleep(1)
                before = thread_seconds(names)
                text = subprocess.run(wrk, check=True, capture_output=True, text=True).stdout
                used = thread_seconds(names) - before
                report(command, text, used)
                for process, kind in names.items():
                    print(f"  {kind} holds {sum(held_bytes(process)) / 2**20:.1f} MiB")


def thread_seconds(names: dict[int, str]) -> Counter[str]:
    """CPU seconds so far, by process and kind of thread."""
    total: Counter[str] = Counter()
    for pid, process in names.items():
        for task in Path(f"/proc/{pid}/task").iterdir():
            stat = (task / "stat").read_text()
            thread = stat[stat.index("(") + 1 : stat.rindex(")")]
            fields = stat[stat.rindex(")") + 2 :].split()
            kind = next((name for key, name in THREADS.items() if key in thread), "")
            if not kind:
                kind = "main thread" if task.name == str(pid) else "other threads"
            total[f"{process}, {kind}"] += (int(fields[11]) + int(fields[12])) * TICK_S
    return total


def report(command: str, wrk: str, used: Counter[str]) -> None:
    """Print a load's microseconds a request."""
    count = int(re.findall(r"(\d+) requests in", wrk)[0])
    rate = re.findall(r"Requests/sec:\s+([\d.]+)", wrk)[0]
    print(f"\n{command}: {rate} requests/s; CPU microseconds a request")
    for kind, seconds in used.most_common():
        if seconds >= TICK_S:
            print(f"  {kind:28}{seconds / count * 1e6:9.1f}")


if __name__ == "__main__":
    main()
