"""What coalescing is worth: a one-call script against itself with `--coalesce off`, and against `batch=True`.

    python benchmarks/coalescing.py                 # the simulated accelerator, over HTTP
    python benchmarks/coalescing.py --networks      # real networks on the CPU, in this process

The accelerator runs one batch at a time, in 10 ms and 0.2 ms an item. Networks are compared by the seconds that 32
equal-shaped calls take one by one and side by side, in turns; the middle of `--rounds` is printed, with the extremes.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "examples" / "super_resolution")]
CALLS = 32

ACCELERATOR = """
import threading, time, torch, runway
lock = threading.Lock()
class Network(torch.nn.Module):
    def forward(self, x):
        with lock:
            time.sleep(0.010 + 0.0002 * len(x))
        return x.cumsum(1)
@runway.setup
def setup():
    return Network().eval()
@runway.command("one", inputs={"seed": runway.number}, outputs={"z": runway.number})
def one(network, inputs):
    torch.manual_seed(int(inputs["seed"]))
    return network(torch.rand(1, 8))[0, -1].item()
@runway.command("many", inputs={"seed": runway.number}, outputs={"z": runway.number}, batch=True, max_batch_size=32)
def many(network, items):
    drawn = []
    for inputs in items:  # seeding is half of such a command's own work: both do it
        torch.manual_seed(int(inputs["seed"]))
        drawn.append(torch.rand(1, 8))
    return network(torch.cat(drawn))[:, -1].tolist()
runway.run()
"""


def serve_and_load(seconds: float, rounds: int) -> None:
    """Throughput at 32 clients and latency at one, in turns."""
    from runway_serve.bench.cli import main as bench
    from tests.serving import serve

    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "model.py"
        script.write_text(ACCELERATOR)
        for _ in range(rounds):
            for title, flags, command in (
                ("one by one", ("--coalesce", "off"), "one"),
                ("coalesced", (), "one"),
                ("batch=True", (), "many"),
            ):
                with serve(script, "--gpus", "none", *flags) as server:
                    print(f"\n{title}", flush=True)
                    load = ["--concurrency", f"{CALLS},1", "--duration", str(seconds)]
                    bench([server.url, command, "--body", '{"seed": 3}', *load])


def networks() -> dict[str, tuple[Any, tuple[int, ...]]]:
    """Name -> network and the shape of one input."""
    import esrgan
    import torch
    from torch import nn

    small = nn.Sequential(
        nn.Conv2d(3, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Linear(32, 10),
    )  # fmt: skip
    text = nn.Sequential(
        nn.Linear(64, 128), nn.TransformerEncoderLayer(128, 4, 256, batch_first=True)
    )
    torch.manual_seed(0)
    weights = ROOT / "examples" / "super_resolution" / "weights"
    return {
        "super-resolution, 64x64": (esrgan.load(weights), (1, 3, 64, 64)),
        "small convolutions, 224x224": (small.eval(), (1, 3, 224, 224)),
        "text layer, 32 words": (text.eval(), (1, 32, 64)),
    }


def compare(rounds: int) -> None:
    """Seconds of 32 calls, one by one and side by side, in turns."""
    import torch

    from runway_serve.batching.coalesce.coalescer import Coalescer

    for name, (network, shape) in networks().items():

        def command(model: Any, seed: int, shape: tuple[int, ...] = shape) -> float:
            torch.manual_seed(seed)
            with torch.no_grad():
                return float(model(torch.randn(shape)).sum())

        def one_by_one(network: Any = network, command: Any = command) -> None:
            for seed in range(CALLS):
                command(network, seed)

        coalescer = Coalescer(CALLS)

        def side_by_side(
            network: Any = network, command: Any = command, coalescer: Any = coalescer
        ) -> None:
            jobs = [lambda seed=seed: command(network, seed) for seed in range(CALLS)]
            coalescer.run("command", command, network, jobs, lambda *_: None)

        for _ in range(rounds):  # it learns which sizes pay
            side_by_side()
        alone_s, beside_s = [], []
        for _ in range(rounds):
            alone_s.append(seconds_of(one_by_one))
            beside_s.append(seconds_of(side_by_side))
        reasons = "; ".join(coalescer.statistics.reasons.values()) or "coalesced"
        print(f"{name}: one by one {spread(alone_s)}, side by side {spread(beside_s)} ({reasons})")


def seconds_of(work: Callable[[], None]) -> float:
    """How long it takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def spread(values: list[float]) -> str:
    """Median and extremes in ms."""
    low, middle, high = (1000 * f(values) for f in (min, statistics.median, max))
    return f"{middle:.1f} ms ({low:.1f} to {high:.1f})"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--networks", action="store_true")
    parser.add_argument("--rounds", type=int, default=0, help="default: 3, for networks 25")
    parser.add_argument("--seconds", type=float, default=5.0)
    given = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    if given.networks:
        compare(given.rounds or 25)
    else:
        serve_and_load(given.seconds, given.rounds or 3)
