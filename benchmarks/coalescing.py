"""What coalescing is worth: a one-call script against itself with `--coalesce off`, and against `batch=True`.

    python -m benchmarks.coalescing                 # the simulated accelerator, over HTTP; needs wrk
    python -m benchmarks.coalescing --networks      # real networks on the CPU, in this process

The accelerator runs one batch at a time, in 10 ms and 0.2 ms an item; `plain` gives it what the client sent, `seeded`
draws what it gets from a generator that each call seeds. Networks are compared by the time that 32 equal-shaped calls
take one by one and side by side, in turns. Printed are medians of `--rounds` [least-most].
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.rivals.load import closed_loop
from benchmarks.rivals.work import free_port
from benchmarks.serving import served, spread, written

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "examples" / "super_resolution"))
CALLS = 32
BODY = b'{"x": 3}'

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
number = {"inputs": {"x": runway.number}, "outputs": {"y": runway.number}}
def plain(x):
    return torch.full((1, 8), x)
def seeded(x):
    torch.manual_seed(int(x))
    return torch.rand(1, 8)
def register(name, drawn):
    @runway.command(name, **number)
    def one(network, inputs):
        return network(drawn(inputs["x"]))[0, -1].item()
    @runway.command(name + "_batch", batch=True, max_batch_size=32, **number)
    def many(network, items):
        return network(torch.cat([drawn(inputs["x"]) for inputs in items]))[:, -1].tolist()
register("plain", plain)
register("seeded", seeded)
runway.run()
"""
WAYS = (
    ("one by one", "", ("--coalesce", "off")),
    ("coalesced", "", ()),
    ("batch=True", "_batch", ()),
)


def serve_and_load(seconds: int, rounds: int) -> None:
    """Throughput at 32 clients and latency at one, in turns; ratios are taken within a round."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        script = written(folder / "model.py", ACCELERATOR)
        for command in ("plain", "seeded"):
            found: dict[str, list[tuple[float, float]]] = {title: [] for title, _, _ in WAYS}
            for index in range(rounds):
                for title, ending, flags in WAYS[:: 1 if index % 2 == 0 else -1]:
                    port = free_port()
                    with served(script, port, "--gpus", "none", *flags):
                        url = f"http://127.0.0.1:{port}/{command}{ending}"
                        closed_loop(
                            url, BODY, CALLS, seconds
                        )  # a checked network is the usual state
                        rate = closed_loop(url, BODY, CALLS, seconds)["requests_per_s"]
                        latency_ms = closed_loop(url, BODY, 1, seconds)["p50_ms"]
                        found[title].append((rate, latency_ms))
            show(command, found)


def show(command: str, found: dict[str, list[tuple[float, float]]]) -> None:
    """A line for each way, with its ratios to one by one and to `batch=True` of the same rounds."""
    alone, batched = found["one by one"], found["batch=True"]
    print(f"\n{command} command")
    for title, values in found.items():
        rates = spread([rate for rate, _ in values], "{:.0f}")
        to_alone = spread([own[0] / one[0] for own, one in zip(values, alone, strict=True)])
        to_batched = spread([own[0] / many[0] for own, many in zip(values, batched, strict=True)])
        latencies = spread([own[1] / one[1] for own, one in zip(values, alone, strict=True)])
        print(
            f"{title:>11}: {rates} /s at {CALLS} clients, {to_alone} of one by one, {to_batched} of batch=True; "
            f"1 client: {spread([ms for _, ms in values])} ms, {latencies} of one by one",
            flush=True,
        )


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
        alone, beside = ([1000 * s for s in taken] for taken in (alone_s, beside_s))
        ratio = spread([one / other for one, other in zip(alone, beside, strict=True)])
        print(
            f"{name}: one by one {spread(alone, '{:.1f}')} ms, side by side {spread(beside, '{:.1f}')} ms, "
            f"{ratio} times as fast ({reasons})"
        )


def seconds_of(work: Callable[[], None]) -> float:
    """How long it takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--networks", action="store_true")
    parser.add_argument("--rounds", type=int, default=0, help="default: 3, for networks 25")
    parser.add_argument("--seconds", type=int, default=3)
    given = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    if given.networks:
        compare(given.rounds or 25)
    else:
        serve_and_load(given.seconds, given.rounds or 3)
