"""`make demo`: serve the super-resolution example and send it a picture.

    python examples/demo.py            # goes on serving until Ctrl-C
    python examples/demo.py --once     # ends when the answer is there

Needs nothing but the standard library, as any client does. Saves answer and log in `.cache/demo/`.
"""

import argparse
import base64
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import ProxyHandler, Request, build_opener

ROOT = Path(__file__).resolve().parents[1]
MODEL = ROOT / "examples" / "super_resolution"
PHOTO = MODEL / "photo.jpg"
OUTPUT = ROOT / ".cache" / "demo"
DEFAULT_PORT = 9000
READY_S = 120.0  # a slow disk reads PyTorch for a while
STOP_S = 15.0

open_url = build_opener(ProxyHandler({})).open  # the address is this machine: no proxy


class DemoError(Exception):
    """The demo cannot go on; the text says why."""


def choose_port():
    """The default port, or any free one if something else has it."""
    for port in (DEFAULT_PORT, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return probe.getsockname()[1]
    raise DemoError("no free port on 127.0.0.1")


def start_server(port, log):
    """`runway-serve` on all GPUs, or on the CPU; its log goes to a file."""
    command = [sys.executable, "-m", "runway_serve", str(MODEL), "--gpus", "all"]
    return subprocess.Popen(
        [*command, "--port", str(port)],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # Ctrl-C is for this program, which then stops the server
    )


def wait_until_ready(server, url):
    """Show a progress line until `GET /ready` answers 200."""
    started = time.monotonic()
    while True:
        passed = time.monotonic() - started
        progress(f"starting the server ... {passed:.0f} s")
        if server.poll() is not None:
            raise DemoError(f"the server ended with code {server.returncode}")
        try:
            open_url(f"{url}/ready", timeout=5).close()
            progress(f"starting the server ... ready after {passed:.1f} s\n")
            return
        except OSError:  # not listening yet, or 503
            pass
        if passed > READY_S:
            raise DemoError(f"the server is not ready after {READY_S:.0f} s")
        time.sleep(0.1)


def progress(text):
    """Replace the line on a terminal; elsewhere print finished lines only."""
    if sys.stdout.isatty():
        print(f"\r{text}", end="", flush=True)
    elif text.endswith("\n"):
        print(text, end="", flush=True)


def upscale(url):
    """Size in bytes and seconds of the answer to our photograph, saved as a file."""
    photo = base64.b64encode(PHOTO.read_bytes()).decode()
    body = json.dumps({"image": photo}).encode()
    started = time.monotonic()
    request = Request(f"{url}/upscale", body, {"Content-Type": "application/json"})
    with open_url(request, timeout=60) as response:
        answer = json.load(response)
    passed = time.monotonic() - started
    data = base64.b64decode(answer["image"].partition(",")[2])
    target = OUTPUT / "answer.png"
    target.write_bytes(data)
    (OUTPUT / "request.json").write_bytes(body)
    print(f"sent   {shown(PHOTO)}, {picture_size(PHOTO)}")
    print(f"got    {shown(target)}, {picture_size(target)}, after {passed:.2f} s")


def picture_size(path):
    from PIL import Image

    with Image.open(path) as picture:
        return f"{picture.width} x {picture.height}, {path.stat().st_size / 1000:.0f} kB"


def shown(path):
    return os.path.relpath(path)


def how_to_go_on(url):
    curl = f"curl -s {url}/upscale -H 'Content-Type: application/json'"
    print(f"\nask it yourself:\n  {curl} -d @{shown(OUTPUT / 'request.json')}")
    print(f"  curl -s {url}/meta          what the model takes and gives")
    print(f"\nserving at {url}, log in {shown(OUTPUT / 'server.log')}; Ctrl-C stops it")


def stop(server):
    """End the server; never leave it behind."""
    if server.poll() is None:
        server.terminate()
        try:
            server.wait(STOP_S)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def main():
    parser = argparse.ArgumentParser(description="Serve an example and send it a picture.")
    parser.add_argument("--once", action="store_true", help="end when the answer is there")
    once = parser.parse_args().once
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)

    OUTPUT.mkdir(parents=True, exist_ok=True)
    server = None
    try:
        port = choose_port()
        url = f"http://127.0.0.1:{port}"
        with open(OUTPUT / "server.log", "wb") as log:
            server = start_server(port, log)
        wait_until_ready(server, url)
        upscale(url)
        if not once:
            how_to_go_on(url)
            server.wait()
            raise DemoError(f"the server ended with code {server.returncode}")
    except KeyboardInterrupt:
        print()
    except (DemoError, URLError) as error:
        print(f"\n{error}; the end of its log:", file=sys.stderr)
        print(*log_tail(), sep="\n", file=sys.stderr)
        return 1
    finally:
        if server is not None:
            stop(server)
    return 0


def log_tail():
    return (OUTPUT / "server.log").read_text(errors="replace").splitlines()[-20:]


if __name__ == "__main__":
    sys.exit(main())
