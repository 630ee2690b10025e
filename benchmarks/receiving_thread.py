"""Whether a worker gains by a second Python thread that receives while the model runs.

    python -m benchmarks.receiving_thread                # 3 rounds of 3 s each; needs wrk
    python -m benchmarks.receiving_thread --rounds 5 --json

`without` is the worker as it is: its one thread receives between batches. `with` gives it a thread that waits for
messages, unpacks them as they come, and hands them over by a queue; the model's thread still sends. Three models get
batches of up to 32 from 64 clients, with 2048 numbers a call, to have something to unpack while the batch before it
runs: one waits for its device (10 ms and 0.2 ms an item), one works in Python (0.2 ms an item), and one in torch
on the CPU. The fourth, `echo`, is called one by one from 32 clients.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from benchmarks.rivals.load import closed_loop
from benchmarks.rivals.work import free_port
from benchmarks.serving import served, spread, written

WAYS = ("without", "with")
COMMANDS = {"device": (64, 2048), "python": (64, 2048), "torch": (64, 2048), "echo": (32, 128)}

MODEL = """
import time
import numpy as np, runway
import torch as framework
{patch}
framework.set_num_threads(1)

@runway.setup
def setup():
    framework.manual_seed(0)
    nn = framework.nn
    return nn.Sequential(nn.Linear(2048, 512), nn.ReLU(), nn.Linear(512, 10)).eval()

@runway.command("echo", inputs={{"x": runway.vector(length=128)}}, outputs={{"y": runway.vector(length=128)}})
def echo(network, inputs):
    return inputs["x"]

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

PATCH = """
import queue, threading
from runway.codec import unpack
from runway.messages import CancelTasks, read_by_worker
from runway_serve.workers.loop import WorkerLoop

def start(loop):
    loop._arrived = queue.SimpleQueue()
    threading.Thread(target=wait, args=(loop,), daemon=True).start()

def wait(loop):
    while True:
        for front, frames in loop._fronts.receive(block=True):
            loop._arrived.put((front, read_by_worker(unpack(frames, loop._look_up))))

def receive(loop, block):
    if not hasattr(loop, "_arrived"):
        start(loop)
    while True:
        try:
            front, message = loop._arrived.get(block)
        except queue.Empty:
            return
        block = False
        if isinstance(message, CancelTasks):
            loop._cancelled.update(message.task_ids)
        else:
            loop._inbox.append((front, message))

WorkerLoop._receive = receive
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
        ratios = [new / old for new, old in zip(rates["with"], rates["without"], strict=True)]
        shown = ", ".join(f"{way} {spread(rates[way], '{:.0f}')}/s" for way in WAYS)
        print(f"{command:>6}: {shown}; with : without {spread(ratios, '{:.3f}')}")


def measure(rounds: int, seconds: int) -> dict[str, dict[str, list[float]]]:
    """Answers a second by model and way, one for each round."""
    found = {command: {way: [] for way in WAYS} for command in COMMANDS}
    with tempfile.TemporaryDirectory() as name:
        scripts = {
            "without": written(Path(name, "without.py"), MODEL.format(patch="")),
            "with": written(Path(name, "with.py"), MODEL.format(patch=PATCH)),
        }
        for index in range(rounds):
            for way in WAYS[:: 1 if index % 2 == 0 else -1]:
                port = free_port()
                with served(scripts[way], port, "--gpus", "none"):
                    for command, (clients, length) in COMMANDS.items():
                        url = f"http://127.0.0.1:{port}/{command}"
                        body = json.dumps({"x": [index / 7 for index in range(length)]}).encode()
                        closed_loop(url, body, clients, 1)
                        rate = closed_loop(url, body, clients, seconds)["requests_per_s"]
                        found[command][way].append(rate)
    return found


if __name__ == "__main__":
    main()
