"""Sleeping commands answered per second by one worker and by two: what a second device is worth.

    python benchmarks/workers_scaling.py [--requests 120] [--json]

The command sleeps and needs no processor, so what is missing to the ideal (workers / sleep) is the server's own time.
Server and clients share the machine.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

MODEL = """\
import time
import runway

@runway.command("nap", inputs={"s": runway.number}, outputs={"s": runway.number})
def nap(model, inputs):
    time.sleep(inputs["s"])
    return inputs["s"]

if __name__ == "__main__":
    runway.run()
"""
WORKERS = (1, 2)
READY_S = 60.0


def main() -> None:
    """Measure in turns, so that what else the machine does meets both alike; print a table or JSON."""
    flags = _parser().parse_args()
    rates: dict[int, list[float]] = {workers: [] for workers in WORKERS}
    for _ in range(flags.rounds):
        for workers in WORKERS:
            with served(workers) as port:
                rates[workers].append(measure(port, flags.clients, flags.requests, flags.sleep))
    summary = summarize(rates, flags)
    print(json.dumps(summary, indent=2) if flags.json else table(summary))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--requests", type=int, default=120, help="calls a run (default 120)")
    parser.add_argument("--clients", type=int, default=16, help="connections (default 16)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each kind (default 3)")
    parser.add_argument("--sleep", type=float, default=0.1, help="seconds a call (default 0.1)")
    parser.add_argument("--json", action="store_true", help="print figures for programs")
    return parser


@contextmanager
def served(workers: int) -> Iterator[int]:
    """Port of a `runway-serve` with that many CPU workers, all of them ready."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "runway_model.py")
        script.write_text(MODEL)
        command = [sys.executable, "-m", "runway_serve", str(script), "--port", str(port)]
        command += ["--gpus", "none", "--cpu-workers", str(workers)]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as server:
            try:
                _wait_for_workers(server, port, workers)
                yield port
            finally:
                server.terminate()


def _wait_for_workers(server: subprocess.Popen[bytes], port: int, workers: int) -> None:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
                connection.request("GET", "/ready")
                if json.loads(connection.getresponse().read()).get("workers") == workers:
                    return
        except OSError:
            pass
        time.sleep(0.05)
    sys.exit(f"runway-serve was not ready with {workers} workers on port {port}")


def measure(port: int, clients: int, requests: int, sleep_s: float) -> float:
    """Calls a second of a closed loop; every connection is kept and first used outside the clock."""
    body = json.dumps({"s": sleep_s})
    connections = [
        http.client.HTTPConnection("127.0.0.1", port, timeout=60) for _ in range(clients)
    ]
    for connection in connections:
        _call(connection, '{"s": 0}')
    left = iter(range(requests))  # `next` of a range is atomic: a ticket goes to one client

    def run(connection: http.client.HTTPConnection) -> None:
        while next(left, None) is not None:
            _call(connection, body)

    began = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(run, connections))
    elapsed_s = time.perf_counter() - began
    for connection in connections:
        connection.close()
    return requests / elapsed_s


def _call(connection: http.client.HTTPConnection, body: str) -> None:
    connection.request("POST", "/nap", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    text = answer.read()
    if answer.status != 200:
        sys.exit(f"POST /nap: {answer.status} {text.decode()}")


def summarize(rates: dict[int, list[float]], flags: argparse.Namespace) -> dict[str, Any]:
    """Settings, machine and figures; ratios are of the medians."""
    base = statistics.median(rates[WORKERS[0]])
    return {
        "command": f"sleeps {flags.sleep:g} s",
        "clients": flags.clients,
        "requests": flags.requests,
        "rounds": flags.rounds,
        "machine": f"{os.cpu_count()} CPUs, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}",
        "workers": {
            str(workers): {
                "requests_per_s": {
                    "median": round(statistics.median(values), 2),
                    "min": round(min(values), 2),
                    "max": round(max(values), 2),
                },
                "ideal_requests_per_s": round(workers / flags.sleep, 2),
                "ratio": round(statistics.median(values) / base, 3),
            }
            for workers, values in rates.items()
        },
    }


def table(summary: dict[str, Any]) -> str:
    """The summary for people."""
    lines = [
        f"command {summary['command']}, {summary['clients']} clients, "
        f"{summary['requests']} requests, {summary['rounds']} rounds; {summary['machine']}",
        f"{'workers':>7}  {'requests/s [min-max]':>24}  {'ideal':>6}  {'ratio':>5}",
    ]
    for workers, row in summary["workers"].items():
        rate = row["requests_per_s"]
        shown = f"{rate['median']:.2f} [{rate['min']:.2f}-{rate['max']:.2f}]"
        lines.append(
            f"{workers:>7}  {shown:>24}  {row['ideal_requests_per_s']:>6.1f}  {row['ratio']:>5.2f}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
