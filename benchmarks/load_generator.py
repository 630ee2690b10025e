"""What `runway-serve bench` itself costs, beside wrk: CPU time a request and the latencies each of them shows.

    python benchmarks/load_generator.py [--rounds 3] [--duration 3] [--json]

Both load the same two servers in turns, with one thread: a bare responder of 20 lines, which is about the most that
Python can answer, and `runway-serve` with a command that adds 128 numbers. Then bench alone, in an open loop, to see
how late it sends. Server and generator share the machine. Needs wrk.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import platform
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

RESPONDER = """\
import asyncio, sys
import httptools, uvloop

ANSWER = b'HTTP/1.1 200 OK\\r\\ncontent-type: application/json\\r\\ncontent-length: 13\\r\\n\\r\\n{"sum": 64.0}'

class Responder(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
        self.parser = httptools.HttpRequestParser(self)

    def data_received(self, data):
        self.parser.feed_data(data)

    def on_message_complete(self):
        self.transport.write(ANSWER)

loop = uvloop.new_event_loop()
server = loop.run_until_complete(loop.create_server(Responder, "127.0.0.1", int(sys.argv[1])))
loop.run_forever()
"""
MODEL = """\
import runway

@runway.command("add", inputs={"vector": runway.vector(length=128)}, outputs={"sum": runway.number})
def add(model, inputs):
    return float(inputs["vector"].sum())

runway.run()
"""
BODY = json.dumps({"vector": [round(0.123456 + at / 7, 6) for at in range(128)]})
SCRIPT = """\
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = [==[{body}]==]
"""
CONCURRENCY = (1, 32)
RATES_PER_S = (500, 5000)
READY_S = 60.0
UNIT_MS = {"us": 1e-3, "ms": 1.0, "s": 1e3}
Figures = dict[str, float]


def main() -> None:
    """Measure in turns, print a table or JSON."""
    flags = _parser().parse_args()
    if not shutil.which("wrk"):
        sys.exit("wrk is not installed; it is the measure here (apt install wrk)")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        servers = {
            "bare responder": stack.enter_context(_bare_responder()),
            "runway-serve": stack.enter_context(_runway_serve(folder)),
        }
        (folder / "body.json").write_text(BODY)
        (folder / "post.lua").write_text(SCRIPT.format(body=BODY))
        rows = measure(servers, folder, flags.rounds, flags.duration)
    summary = {"machine": _machine(), "rounds": flags.rounds, "rows": rows}
    print(json.dumps(summary, indent=2) if flags.json else table(summary))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="runs of each kind (default 3)")
    parser.add_argument("--duration", type=int, default=3, help="seconds a run (default 3)")
    parser.add_argument("--json", action="store_true", help="print figures for programs")
    return parser


def measure(
    servers: dict[str, int], folder: Path, rounds: int, duration_s: int
) -> list[dict[str, Any]]:
    """Medians and ranges, a row for each server, load and generator."""
    runs: dict[tuple[str, str, str], list[Figures]] = {}
    for _ in range(rounds):
        for server, port in servers.items():
            for clients in CONCURRENCY:
                for name, generate in (("wrk", _wrk), ("bench", _bench_closed)):
                    figures = generate(port, clients, folder, duration_s)
                    load = f"{clients} client{'s' if clients > 1 else ''}"
                    runs.setdefault((server, load, name), []).append(figures)
        for rate in RATES_PER_S:
            figures = _bench(servers["bare responder"], ["--rate", rate], folder, duration_s)
            runs.setdefault(("bare responder", f"{rate}/s offered", "bench"), []).append(figures)
    return [
        {"server": server, "load": load, "generator": generator, **_spreads(figures)}
        for (server, load, generator), figures in runs.items()
    ]


def _spreads(runs: list[Figures]) -> dict[str, dict[str, float]]:
    columns = {name: [run[name] for run in runs] for name in runs[0]}
    return {
        name: {
            "median": round(statistics.median(values), 4),
            "min": round(min(values), 4),
            "max": round(max(values), 4),
        }
        for name, values in columns.items()
    }


def _wrk(port: int, clients: int, folder: Path, duration_s: int) -> Figures:
    command = ["wrk", "-t1", f"-c{clients}", f"-d{duration_s}s", "--latency"]
    command += ["-s", str(folder / "post.lua"), f"http://127.0.0.1:{port}/add"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        text = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode or "Non-2xx" in text:
        sys.exit(f"wrk failed:\n{text}")
    requests = int(_found(r"(\d+) requests in", text)[0])
    return {
        "requests_per_s": float(_found(r"Requests/sec:\s+([\d.]+)", text)[0]),
        "p50_ms": _milliseconds(_found(r"50%\s+([\d.]+)(us|ms|s)", text)),
        "p99_ms": _milliseconds(_found(r"99%\s+([\d.]+)(us|ms|s)", text)),
        "cpu_us": (usage.ru_utime + usage.ru_stime) / requests * 1e6,
    }


def _found(pattern: str, text: str) -> tuple[str, ...]:
    match = re.search(pattern, text)
    if not match:
        sys.exit(f"wrk printed no {pattern!r}:\n{text}")
    return match.groups()


def _milliseconds(value_and_unit: tuple[str, ...]) -> float:
    value, unit = value_and_unit
    return float(value) * UNIT_MS[unit]


def _bench_closed(port: int, clients: int, folder: Path, duration_s: int) -> Figures:
    return _bench(port, ["--concurrency", clients], folder, duration_s)


def _bench(port: int, load: list[Any], folder: Path, duration_s: int) -> Figures:
    command: list[Any] = [sys.executable, "-m", "runway_serve", "bench", f"127.0.0.1:{port}", "add"]
    command += [*load, "--body", folder / "body.json", "--duration", duration_s]
    command += ["--warmup", 0.5, "--json", "-"]
    ended = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    if ended.returncode:
        sys.exit(f"runway-serve bench failed: {ended.stderr}")
    (run,) = json.loads(ended.stdout)["runs"]
    if run["errors"]:
        sys.exit(f"runway-serve bench had errors: {run['errors']}")
    figures = {
        "requests_per_s": run["requests_per_s"],
        "p50_ms": run["latency_ms"]["p50"],
        "p99_ms": run["latency_ms"]["p99"],
        "cpu_us": run["generator"]["cpu_us_per_request"],
    }
    lag = run["generator"]["lag_ms"]
    return figures | ({"lag_p50_ms": lag["p50"], "lag_p99_ms": lag["p99"]} if lag else {})


@contextmanager
def _bare_responder() -> Iterator[int]:
    port = _free_port()
    with _serving([sys.executable, "-c", RESPONDER, str(port)], port, "/", lambda status: True):
        yield port


@contextmanager
def _runway_serve(folder: Path) -> Iterator[int]:
    (folder / "runway_model.py").write_text(MODEL)
    port = _free_port()
    command = [sys.executable, "-m", "runway_serve", str(folder), "--gpus", "none"]
    command += ["--port", str(port)]
    with _serving(command, port, "/ready", lambda status: status == 200):
        yield port


@contextmanager
def _serving(
    command: list[str], port: int, path: str, is_ready: Callable[[int], bool]
) -> Iterator[None]:
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as server:
        try:
            _wait(server, port, path, is_ready)
            yield
        finally:
            server.terminate()


def _wait(
    server: subprocess.Popen[bytes], port: int, path: str, is_ready: Callable[[int], bool]
) -> None:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
                connection.request("GET", path)
                if is_ready(connection.getresponse().status):
                    return
        except OSError:
            pass
        time.sleep(0.05)
    sys.exit(f"no server at port {port} after {READY_S:g} s")


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _machine() -> str:
    return (
        f"{os.cpu_count()} CPUs, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}"
    )


def table(summary: dict[str, Any]) -> str:
    """The summary for people: medians, and the range of the CPU time and of p50."""
    lines = [
        f"{summary['rounds']} rounds; {summary['machine']}",
        f"{'server':<14}  {'load':<14}  {'generator':<9}  {'requests/s':>10}  {'p50 ms':>20}  "
        f"{'p99 ms':>7}  {'CPU us a request':>20}  {'lag p50, p99 ms':>15}",
    ]
    for row in summary["rows"]:
        lag = [f"{row[n]['median']:.3f}" for n in ("lag_p50_ms", "lag_p99_ms") if n in row]
        lines.append(
            f"{row['server']:<14}  {row['load']:<14}  {row['generator']:<9}  "
            f"{row['requests_per_s']['median']:>10,.0f}  {_shown(row['p50_ms'], 3):>20}  "
            f"{row['p99_ms']['median']:>7.2f}  {_shown(row['cpu_us'], 1):>20}  {', '.join(lag):>15}"
        )
    return "\n".join(lines)


def _shown(spread: dict[str, float], digits: int) -> str:
    median, low, high = (spread[name] for name in ("median", "min", "max"))
    return f"{median:.{digits}f} [{low:.{digits}f}-{high:.{digits}f}]"


if __name__ == "__main__":
    main()
