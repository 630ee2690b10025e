"""How long a killed worker is missed, and what its server gives meanwhile.

    python -m benchmarks.recovery              # 4 workers, 5 kills, a setup of 1 s
    python -m benchmarks.recovery --json

Clients keep every worker busy with calls that sleep, so that the processor is not what limits them. A worker gets
SIGKILL; it is back when its successor's first answer arrives. Compared are the answers a second before, meanwhile, and
the share of the before that the remaining workers are.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import signal
import statistics
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.serving import served, written

MODEL = """
import os, time
import runway

@runway.setup
def setup():
    time.sleep({setup_s})

@runway.command("nap", inputs={{"s": runway.number}}, outputs={{"pid": runway.number}})
def nap(model, inputs):
    time.sleep(inputs["s"])
    return os.getpid()

runway.run()
"""
NAP_S = 0.02
CLIENTS_A_WORKER = 8
STEADY_S = 5.0
BACK_S = 60.0


@dataclass(frozen=True)
class Recovery:
    """One kill: the time without the worker, answers a second, and calls that were lost."""

    back_s: float
    before: float
    meanwhile: float
    share: float
    lost: int


class Load:
    """Clients that call as fast as they are answered; `answers` has the moment, the pid and the status of each."""

    def __init__(self, port: int, clients: int) -> None:
        self.answers: list[tuple[float, int, int]] = []
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._call, args=(port,)) for _ in range(clients)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _call(self, port: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=BACK_S)
        body = json.dumps({"s": NAP_S})
        with contextlib.closing(connection):
            while not self._over.is_set():
                connection.request("POST", "/nap", body)
                response = connection.getresponse()
                said = json.loads(response.read())
                self.answers.append((time.monotonic(), said.get("pid", 0), response.status))

    def rate(self, began: float, ended: float) -> float:
        """Good answers a second in between."""
        count = sum(began <= at < ended and code == 200 for at, _, code in list(self.answers))
        return count / (ended - began)

    def pids(self) -> set[int]:
        """The workers that answered in the last `STEADY_S`."""
        since = time.monotonic() - STEADY_S
        return {pid for at, pid, code in list(self.answers) if at >= since and code == 200}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=9379)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--setup-s", type=float, default=1.0)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        model = written(Path(name) / "model.py", MODEL.format(setup_s=options.setup_s))
        flags = ("--gpus", "none", "--cpu-workers", str(options.workers))
        with served(model, options.port, *flags):
            rows = measured(options.port, options.workers, options.kills)
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
        return
    remaining = (options.workers - 1) / options.workers
    print(f"{options.workers} workers, setup of {options.setup_s:g} s, {NAP_S * 1000:g} ms a call")
    print(f"{'':24}{'median':>9}{'least':>9}{'most':>9}")
    for text, values in (
        ("back after, in s", [row.back_s for row in rows]),
        ("  less the setup", [row.back_s - options.setup_s for row in rows]),
        ("answers/s before", [row.before for row in rows]),
        ("answers/s meanwhile", [row.meanwhile for row in rows]),
        ("  as a share of before", [row.share for row in rows]),
        ("calls lost (500)", [float(row.lost) for row in rows]),
    ):
        print(f"{text:24}{statistics.median(values):9.2f}{min(values):9.2f}{max(values):9.2f}")
    print(f"the remaining workers are a share of {remaining:.2f}")


def measured(port: int, workers: int, kills: int) -> list[Recovery]:
    """One row a kill."""
    with Load(port, workers * CLIENTS_A_WORKER) as load:
        rows = []
        for _ in range(kills):
            wait_for_pids(load, workers)
            time.sleep(STEADY_S)
            rows.append(kill_one(load))
        return rows


def wait_for_pids(load: Load, workers: int) -> None:
    """Wait until so many workers answer."""
    deadline = time.monotonic() + BACK_S
    while len(load.pids()) < workers:
        if time.monotonic() > deadline:
            raise TimeoutError(f"only {len(load.pids())} of {workers} workers answer")
        time.sleep(0.05)


def kill_one(load: Load) -> Recovery:
    """Kill a worker, and wait for the first answer of its successor."""
    before = load.pids()
    seen = len(load.answers)
    killed_at = time.monotonic()
    os.kill(min(before), signal.SIGKILL)
    deadline = killed_at + BACK_S
    while True:
        new = [at for at, pid, code in load.answers[seen:] if code == 200 and pid not in before]
        if new:
            break
        if time.monotonic() > deadline:
            raise TimeoutError("the killed worker did not come back")
        time.sleep(0.01)
    rate_before = load.rate(killed_at - STEADY_S, killed_at)
    meanwhile = load.rate(killed_at, new[0])
    lost = sum(code != 200 for _, _, code in load.answers[seen:])
    return Recovery(new[0] - killed_at, rate_before, meanwhile, meanwhile / rate_before, lost)


if __name__ == "__main__":
    main()
