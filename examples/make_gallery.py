"""Serve every example on two CPU workers, show what goes in and comes out, and how long it takes.

    python examples/make_gallery.py                   # all; writes docs/gallery.md and each pictures/
    python examples/make_gallery.py digits face_mesh  # these; the others keep what docs/gallery.md says

Weights and TensorFlow are fetched if they are not there, as `runway-serve examples run` does; scikit-image, which
carries the photographs, must be. With PYTHON_TENSORFLOW naming another interpreter, the TensorFlow example runs there.
"""

import argparse
import base64
import io
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import contextmanager
from pathlib import Path
from urllib.request import Request

from demo import choose_port, open_url
from exhibits import EXHIBITS
from PIL import Image

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "gallery.md"
FLAGS = ("--gpus", "none", "--cpu-workers", "2")
READY_S = 180.0
REPEATS = 5
HEAD = """\
# Gallery

What each example makes of an input, and how long a call takes from request to answer: on two CPU workers of a machine
with {cores} cores, one call at a time. `python examples/make_gallery.py` makes this page; a time is the median of
{repeats} calls after a first one, with the least and the most.
"""


class Client:
    """Asks a served example; keeps the times of each command."""

    def __init__(self, url):
        self.url = url
        self.times_ms = defaultdict(list)

    def ask(self, command, **inputs):
        """Outputs of a command, pictures as PIL images; a first kind of call is timed REPEATS times."""
        body = json.dumps({name: to_json(value) for name, value in inputs.items()}).encode()
        answer = self.post(command, body)
        if command not in self.times_ms:
            for _ in range(REPEATS):
                started = time.perf_counter()
                self.post(command, body)
                self.times_ms[command].append((time.perf_counter() - started) * 1000)
        return {name: from_json(value) for name, value in answer.items()}

    def post(self, command, body):
        request = Request(f"{self.url}/{command}", body, {"Content-Type": "application/json"})
        with open_url(request, timeout=120) as response:
            return json.load(response)

    def timings(self):
        """A line a command."""
        for command, times in self.times_ms.items():
            middle, least, most = statistics.median(times), min(times), max(times)
            yield f"`{command}`: {middle:.0f} ms ({least:.0f} to {most:.0f})"


def to_json(value):
    if not isinstance(value, Image.Image):
        return value
    buffer = io.BytesIO()
    value.save(buffer, format="PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def from_json(value):
    if not (isinstance(value, str) and value.startswith("data:image/")):
        return value
    return Image.open(io.BytesIO(base64.b64decode(value.partition(",")[2])))


def interpreter_for(name):
    """The interpreter that runs an example; what it lacks is fetched first."""
    own = os.environ.get("PYTHON_TENSORFLOW") if name == "face_mesh" else None
    if own:
        return own
    command = [sys.executable, "-m", "runway_serve", "examples", "prepare", name]
    prepared = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if prepared.returncode:
        raise SystemExit(f"{name} cannot be prepared; the reason is above")
    return prepared.stdout.strip()


@contextmanager
def served(name):
    """Address of an example that is ready, and the seconds that took."""
    port = choose_port()
    python = interpreter_for(name)
    command = [python, "-m", "runway_serve", str(HERE / name), *FLAGS, "--port", str(port)]
    started = time.monotonic()
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        while not is_ready(port):
            if server.poll() is not None or time.monotonic() - started > READY_S:
                raise SystemExit(f"{name} is not ready; its log is above")
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}", time.monotonic() - started
    finally:
        server.terminate()
        server.wait()


def is_ready(port):
    try:
        open_url(f"http://127.0.0.1:{port}/ready", timeout=5).close()
    except OSError:  # not listening yet, or 503
        return False
    return True


def show(exhibit):
    """The section of one example."""
    name = exhibit.__name__
    folder = HERE / name / "pictures"
    folder.mkdir(exist_ok=True)
    with served(name) as (url, ready_s):
        client = Client(url)
        lines = exhibit(client.ask, folder)
    if not any(folder.iterdir()):
        folder.rmdir()
    lines = [re.sub(r"\]\((?=\w)", f"](../examples/{name}/pictures/", line) for line in lines]
    timings = [f"Ready after {ready_s:.1f} s.", *(f"{timing}." for timing in client.timings())]
    head = f"## [{name}](../examples/{name}/)"
    return "\n".join([head, "", *lines, "", " ".join(timings), ""])


def read_sections():
    """Sections of the page as it is, by example."""
    if not PAGE.is_file():
        return {}
    parts = re.split(r"^(?=## )", PAGE.read_text(), flags=re.M)[1:]
    return {re.match(r"## \[(\w+)\]", part)[1]: part.rstrip("\n") + "\n" for part in parts}


def main():
    names = [exhibit.__name__ for exhibit in EXHIBITS]
    parser = argparse.ArgumentParser(description="Run the examples and write docs/gallery.md.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(names))
    chosen = parser.parse_args().names or names
    if unknown := set(chosen) - set(names):
        parser.error(f"no example {', '.join(sorted(unknown))}")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)  # so that a server is never left behind
    sections = read_sections()
    for exhibit in EXHIBITS:
        if exhibit.__name__ in chosen:
            sections[exhibit.__name__] = show(exhibit)
            print(f"{exhibit.__name__} done", file=sys.stderr)
    head = HEAD.format(cores=os.cpu_count(), repeats=REPEATS)
    shown = [sections[name] for name in names if name in sections]
    PAGE.write_text("\n".join([head, *shown]))


if __name__ == "__main__":
    main()
