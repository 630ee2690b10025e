"""What HTTP alone costs: the same JSON echo behind three ways to serve it, without a queue or a worker.

    python -m benchmarks.http_layers

1. gunicorn's own ASGI worker, 2. uvicorn's protocol under ASGI, 3. the hot path of `runway.http_protocol`, whose engine
here answers at once. All on uvloop with httptools where they can, one process each, in turns. Needs wrk.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.serving import VECTOR_BODY, post_script, written
from runway_serve.bench.process_tree import cpu_seconds

ASGI_APP = """
import orjson

HEADERS = [(b"content-type", b"application/json")]

async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    answer = orjson.dumps(orjson.loads(body))
    length = (b"content-length", b"%d" % len(answer))
    await send({"type": "http.response.start", "status": 200, "headers": [*HEADERS, length]})
    await send({"type": "http.response.body", "body": answer})
"""
UVICORN = """
import sys
import uvicorn
from app import app

uvicorn.run(app, port=int(sys.argv[1]), lifespan="off", access_log=False, log_level="error")
"""
HOT = """
import sys
import uvicorn
from runway.app import create_app
from runway.asgi import RunwayASGI
from runway.data_types import any as anything
from runway.data_types import text  # whose values go out as they are
from runway.engine import Engine
from runway.invocation import Output
from runway.http_protocol import RunwayHttpProtocol
from runway.manifest import Command, Fields, Manifest

class Immediate(Engine):
    manifest = Manifest(commands={"echo": Command("echo", Fields({"vector": anything}), Fields({"vector": text}))})

    def status(self):
        return "RUNNING"

    def setup(self, options):
        pass

    def submit(self, call, listener):
        listener(Output(call.inputs))
        return int

engine = Immediate()
app = RunwayASGI(create_app(engine), engine)
uvicorn.run(app, port=int(sys.argv[1]), http=RunwayHttpProtocol, lifespan="off", access_log=False, log_level="error")
"""
CLIENTS = (1, 32)


def main() -> None:
    """Measure in turns and print medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, text in (("app.py", ASGI_APP), ("uv.py", UVICORN), ("hot.py", HOT)):
            written(folder / file, text)
        lua = post_script(folder, written(folder / "body.json", VECTOR_BODY))
        gunicorn = ["-m", "gunicorn", "app:app", "-k", "asgi", "--log-level", "error", "-b"]
        contenders = {
            "gunicorn -k asgi": lambda port: [*gunicorn, f"127.0.0.1:{port}"],
            "uvicorn": lambda port: ["uv.py", str(port)],
            "runway.http_protocol": lambda port: ["hot.py", str(port)],
        }
        found: dict[tuple[str, int], list[tuple[float, float]]] = {}
        for turn in range(options.rounds):
            for label, arguments in contenders.items():
                for clients in CLIENTS:
                    port = free_port()
                    figures = measured(folder, arguments(port), port, lua, clients, options.seconds)
                    found.setdefault((label, clients), []).append(figures)
            print(f"round {turn + 1} of {options.rounds}", file=sys.stderr)
    print(f"{'':24}{'clients':>8}{'requests/s':>12}{'CPU us':>8}  [least-most]")
    for (label, clients), rows in found.items():
        rate = statistics.median(row[0] for row in rows)
        costs = sorted(row[1] for row in rows)
        spread = f"[{costs[0]:.1f}-{costs[-1]:.1f}]"
        print(f"{label:24}{clients:8}{rate:12.0f}{statistics.median(costs):8.1f}  {spread}")


def measured(
    folder: Path, arguments: list[str], port: int, lua: Path, clients: int, seconds: int
) -> tuple[float, float]:
    """Requests a second, and CPU microseconds a request of the server's process tree."""
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    server = subprocess.Popen([sys.executable, *arguments], cwd=folder, env=environment)
    try:
        wait_for(port)
        before = cpu_seconds(server.pid)
        url = f"http://127.0.0.1:{port}/echo"
        wrk = ["wrk", "-t1", f"-c{clients}", f"-d{seconds}", "-s", str(lua), url]
        text = subprocess.run(wrk, check=True, capture_output=True, text=True).stdout
        used = cpu_seconds(server.pid) - before
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()
    count = re.search(r"(\d+) requests in", text)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    if count is None or rate is None or "Non-2xx" in text:
        sys.exit(f"wrk could not measure {arguments}: {text}")
    return float(rate[1]), used / int(count[1]) * 1e6


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def wait_for(port: int) -> None:
    """Return once something listens on the port."""
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                sys.exit(f"nothing listens on port {port}")
            time.sleep(0.05)


if __name__ == "__main__":
    main()
