"""Does memory stay flat? Sends many requests and fits a line to the memory of each process.

    python -m benchmarks.memory                  # 400,000 vectors, then 80,000 pictures, 32 clients
    python -m benchmarks.memory --json

Twice as many clients come first, for half a minute: memory follows how much is in use at a time, and what was room for
them is enough for what follows. Then, for each load, the slope with its standard error, in KiB for 1000 requests.
Counted is what a process holds of its own, and what front and worker share, the blocks that were ever in use at a time.
Program text, which they share with any other Python, is not. Needs wrk.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import math
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.serving import VECTOR_BODY, post_script, served, written
from runway_serve.bench.process_tree import tree

MODEL = """
import numpy as np
import runway
from runway.data_types import image, vector

@runway.command("echo", inputs={"vector": vector(length=128)}, outputs={"vector": vector(length=128)})
def echo(model, inputs):
    return inputs["vector"]

@runway.command("invert", inputs={"image": image}, outputs={"image": image})
def invert(model, inputs):
    return 255 - np.asarray(inputs["image"])

runway.run()
"""
LOADS = {"echo": 400_000, "invert": 80_000}
CLIENTS = 32
SAMPLE_S = 0.25
WARM_UP_S = 30
SLICE_S = 5  # wrk counts time, not requests, so it is started until enough were answered


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=9378)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = written(folder / "model.py", MODEL)
        bodies = {"echo": VECTOR_BODY, "invert": json.dumps({"image": photograph()})}
        with served(model, options.port, "--gpus", "none") as server:
            for command, count in LOADS.items():
                lua = post_script(folder, written(folder / f"{command}.json", bodies[command]))
                url = f"http://127.0.0.1:{options.port}/{command}"
                samples = sampled(server.pid, lua, url, count)
                rows += [{"load": command, **row} for row in fitted(samples)]
    if options.json:
        print(json.dumps(rows, indent=2))
        return
    print(f"{'load':8}{'process':12}{'requests':>10}{'MiB':>8}{'KiB/1000':>10}{'error':>8}")
    for row in rows:
        numbers = f"{row['requests']:10}{row['mib']:8.1f}{row['slope']:10.2f}{row['error']:8.2f}"
        print(f"{row['load']:8}{row['process']:12}{numbers}")


def photograph() -> str:
    """A 512x512 JPEG with the detail of a photograph, as a data URI."""
    noise = np.random.default_rng(0).normal(0, 12, (512, 512, 3))
    waves = 128 + 90 * np.sin(
        np.arange(512)[:, None, None] / 37 + np.arange(512)[None, :, None] / 53
    )
    buffer = io.BytesIO()
    Image.fromarray(np.clip(waves + noise, 0, 255).astype(np.uint8)).save(buffer, "JPEG")
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def sampled(pid: int, lua: Path, url: str, count: int) -> dict[str, list[tuple[int, int]]]:
    """(requests answered, bytes) of each process, and of what they share, while `count` requests are answered."""
    names = process_names(pid)
    subprocess.run(load_of(2 * CLIENTS, WARM_UP_S, lua, url), stdout=subprocess.DEVNULL, check=True)
    samples: dict[str, list[tuple[int, int]]] = {name: [] for name in [*names.values(), "shared"]}
    counted = answered(url)
    first = counted
    while counted - first < count:
        command = load_of(CLIENTS, SLICE_S, lua, url)
        load = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        while load.poll() is None:
            time.sleep(SAMPLE_S)
            counted = answered(url)
            shared = 0
            for process, name in names.items():
                own, part = held_bytes(process)
                samples[name].append((counted - first, own))
                shared += part
            samples["shared"].append((counted - first, shared))
        assert load.stdout is not None
        if "Non-2xx" in (output := load.stdout.read()):
            sys.exit(f"the server refused requests: {output}")
        print(f"{url.rpartition('/')[2]}: {counted - first} of {count}", file=sys.stderr)
    return samples


def process_names(pid: int) -> dict[int, str]:
    """The processes whose memory is of interest, by what they do."""
    kinds = {"runway_serve.front": "front", "runway_serve.workers": "worker"}
    names = {}
    for usage in tree(pid):
        line = Path(f"/proc/{usage.pid}/cmdline").read_text().split("\0")
        kind = next((name for module, name in kinds.items() if module in line), None)
        parents = {other.parent for other in tree(pid)}
        if kind is not None and usage.pid not in parents:  # gunicorn's master does nothing
            names[usage.pid] = kind
    return names


def load_of(clients: int, seconds: int, lua: Path, url: str) -> list[str]:
    """The command line of wrk."""
    return ["wrk", "-t1", f"-c{clients}", f"-d{seconds}", "-s", str(lua), url]


def held_bytes(pid: int) -> tuple[int, int]:
    """Anonymous memory of a process, and its part of what it shares: each page divided by those who map it."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    own, shared = (re.findall(rf"{kind}: +(\d+) kB", text)[0] for kind in ("Pss_Anon", "Pss_Shmem"))
    return 1024 * int(own), 1024 * int(shared)


def answered(url: str) -> int:
    """Calls that the command at `url` has answered so far."""
    base, _, command = url.rpartition("/")
    with urllib.request.urlopen(f"{base}/metrics") as answer:
        text = answer.read().decode()
    pattern = (
        rf'runway_requests_total{{(?=[^}}]*code="200")(?=[^}}]*command="{command}")[^}}]*}} (\S+)'
    )
    found = re.search(pattern, text)
    return 0 if found is None else int(float(found[1]))


def fitted(samples: dict[str, list[tuple[int, int]]]) -> list[dict[str, float | str]]:
    """A line for each process, by least squares."""
    rows: list[dict[str, float | str]] = []
    for name, points in samples.items():
        last, size = points[-1]
        slope, error = slope_of(points)
        row = {"requests": last, "mib": size / 2**20, "slope": slope, "error": error}
        rows.append({"process": name, **row})
    return rows


def slope_of(points: Sequence[tuple[int, int]]) -> tuple[float, float]:
    """KiB for 1000 requests, and the standard error of that."""
    x = np.array([n for n, _ in points]) / 1000
    y = np.array([size for _, size in points]) / 1024
    centred = x - x.mean()
    slope = float(centred @ y / (centred @ centred))
    rest = y - y.mean() - slope * centred
    return slope, math.sqrt(float(rest @ rest) / (len(x) - 2) / float(centred @ centred))


if __name__ == "__main__":
    main()
