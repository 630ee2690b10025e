"""What a worker gains by a second Python thread that sends answers and receives while the model runs.

    python -m benchmarks.courier                # 3 rounds of 3 s each; needs wrk
    python -m benchmarks.courier --rounds 5 --json

`never` keeps to one thread, `always` leaves the answers of each batch to the courier, `tried` is the worker as it is,
which tries both and keeps to the better (`workers/overlap.py`). Three models get batches of up to 32 from 64 clients,
with 2048 numbers a call, to have something to unpack while the batch before it runs: one waits for its device (10 ms
and 0.2 ms an item), one works in Python (0.2 ms an item), and one in torch on the CPU.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from benchmarks.rivals.load import closed_loop
from benchmarks.rivals.work import free_port
from benchmarks.serving import served, spread, written

PATCHES = {
    "never": "Overlap.is_wanted = lambda self, command: False",
    "always": "Overlap.is_wanted = lambda self, command: True",
    "tried": "",
}
COMMANDS = ("device", "python", "torch")
CLIENTS = 64
LENGTH = 2048
WARM_UP_S = 2  # in which a worker has tried both ways

MODEL = """
import time
import numpy as np, runway
import torch as framework
from runway_serve.workers.overlap import Overlap
{patch}
framework.set_num_threads(1)

@runway.setup
def setup():
    framework.manual_seed(0)
    nn = framework.nn
    return nn.Sequential(nn.Linear(2048, 512), nn.ReLU(), nn.Linear(512, 10)).eval()

def offered(work):
    name = work.__name__
    runway.command(
        name, inputs={{"x": runway.vector(length=2048)}}, outputs={{"y": runway.number}}, batch=True, max_batch_size=32
    )(lambda network, items: work(network, [item["x"] for item in items]))

@offered
def device(network, items):
    time.sleep(0.010 + 0.0002 * len(items))
    return [float(item[0]) for item in items]

@offered
def python(network, items):
    results = []
    for item in items:
        total, ends = 0, time.thread_time() + 0.0002
        while time.thread_time() < ends:
            total += 1
        results.append(float(item[1]))
    return results

@offered
def torch(network, items):
    with framework.inference_mode():
        return network(framework.from_numpy(np.stack(items)).float())[:, 0].tolist()

runway.run()
"""


def main() -> None:
    """Measure in turns and print a line for each model."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print figures for programs")
    flags = parser.parse_args()
    found = measure(flags.rounds, flags.seconds)
    if flags.json:
        print(json.dumps(found, indent=1))
        return
    for command, rates in found.items():
        for way in PATCHES:
            ratios = [new / old for new, old in zip(rates[way], rates["never"], strict=True)]
            rate, ratio = spread(rates[way], "{:.0f}"), spread(ratios, "{:.3f}")
            print(f"{command:>6}, {way:>6}: {rate}/s; to never {ratio}")


def measure(rounds: int, seconds: int) -> dict[str, dict[str, list[float]]]:
    """Answers a second by model and way, one for each round."""
    found = {command: {way: [] for way in PATCHES} for command in COMMANDS}
    body = json.dumps({"x": [index / 7 for index in range(LENGTH)]}).encode()
    with tempfile.TemporaryDirectory() as name:
        scripts = {
            way: written(Path(name, f"{way}.py"), MODEL.format(patch=patch))
            for way, patch in PATCHES.items()
        }
        for index in range(rounds):
            for way in list(PATCHES)[:: 1 if index % 2 == 0 else -1]:
                port = free_port()
                with served(scripts[way], port, "--gpus", "none"):
                    for command in COMMANDS:
                        url = f"http://127.0.0.1:{port}/{command}"
                        closed_loop(url, body, CLIENTS, WARM_UP_S)
                        rate = closed_loop(url, body, CLIENTS, seconds)["requests_per_s"]
                        found[command][way].append(rate)
    return found


if __name__ == "__main__":
    main()
