"""One chaos run: a server of two workers under load, fault after fault in a seeded order, and the ledger of it all."""

from __future__ import annotations

import json
import random
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.chaos.clients import Clients, content
from tests.chaos.faults import Faults, is_listening, is_serving, mount_small_disk, unmount, workers
from tests.chaos.ledger import Fault, Ledger
from tests.chaos.wire import CutOffError, Wire
from tests.serving import Served, serve

MODEL = Path(__file__).parent / "model.py"
WORKERS = 2
CLIENTS = 32
FLAGS = (
    *("--gpus", "none", "--cpu-workers", str(WORKERS), "--command-timeout", "2"),
    *("--read-timeout", "2", "--setup-timeout", "20", "--setup-attempts", "50"),
)
RECOVERY_S = 45.0
PROBE_S = 5.0
HEALTH_EVERY_S = 0.1
TOGETHER = 0.25  # of the faults come before the server has recovered from the one before


class NotRecoveredError(Exception):
    """A server that was not whole again in time; the text says what it said of itself."""


def drill(seconds: float, seed: int, clients: int = CLIENTS) -> tuple[Ledger, list[str]]:
    """The ledger of a run, and all that must not be; empty if the server did well."""
    ledger = Ledger()
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rc-")))
        disk = place / "t"
        disk.mkdir()
        reason = mount_small_disk(disk)
        if reason is None:
            stack.callback(unmount, disk)
        else:
            ledger.skipped.append(reason)
        runs = place / "runs"
        files = stack.enter_context(file_server())
        env = {"TMPDIR": str(disk), "CHAOS_RUNS": str(runs)}
        allow = ("--allow-url", files.removeprefix("http://"))
        with serve(MODEL, *FLAGS, *allow, env=env) as server:
            wait_until_whole(server)
            loaded = under_fire(
                server, ledger, files, seconds, seed, clients, disk if reason is None else None
            )
            left = [*loaded, *left_at_rest(server, disk)]
        left += [f"left after the end: {path}" for path in disk.rglob("*")]
        left += ["the port is still served"] * is_listening(server.port)
        noted = runs.read_text().split()
    return ledger, [*left, *ledger.problems(noted)]


def under_fire(
    server: Served,
    ledger: Ledger,
    files: str,
    seconds: float,
    seed: int,
    clients: int,
    disk: Path | None,
) -> list[str]:
    """Load the server and do it harm for `seconds`; what went wrong on this side."""
    rng = random.Random(seed)
    faults = Faults(server, ledger, rng, str(seed), disk)
    load = Clients(server.port, files, ledger, seed, clients)
    found: list[str] = []
    over = threading.Event()
    health = threading.Thread(target=watch_health, args=(server.port, ledger, over, found))
    end = time.monotonic() + seconds
    load.start()
    health.start()
    try:
        bag: list[str] = []
        while time.monotonic() < end:
            bag = bag or rng.sample(sorted(faults.kinds), len(faults.kinds))
            kinds = [bag.pop()]
            if bag and rng.random() < TOGETHER:
                kinds.append(bag.pop())
            inject(server, ledger, faults, kinds)
            time.sleep(rng.uniform(0.1, 1.0))
    except (AssertionError, NotRecoveredError) as error:
        found.append(f"{type(error).__name__}: {error}")
    finally:
        load.stop()
        over.set()
        health.join()
    return found


def inject(server: Served, ledger: Ledger, faults: Faults, kinds: list[str]) -> None:
    """Let faults happen, all of them at once, and wait until the server is whole again after each."""
    failures: list[BaseException] = []

    def harm(kind: str) -> None:
        fault = Fault(kind, time.monotonic())
        ledger.faults.append(fault)
        try:
            faults.kinds[kind]()
            fault.ended = wait_until_whole(server)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=harm, args=(kind,)) for kind in kinds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def wait_until_whole(server: Served) -> float:
    """When all workers were seen to live and be ready, and the server to answer for itself."""
    end = time.monotonic() + RECOVERY_S
    wire = Wire(server.port, PROBE_S)
    said = b""
    while time.monotonic() < end:
        with suppress(CutOffError, TimeoutError):
            answer = wire.get("/ready")
            said = answer.body
            is_ready = answer.status == 200 and json.loads(said)["workers"] == WORKERS
            living = workers(server)
            if is_ready and len(living) == WORKERS and all(map(is_serving, living)):
                wire.close()
                return time.monotonic()
        time.sleep(0.02)
    wire.close()
    raise NotRecoveredError(f"not whole in {RECOVERY_S:g} s: {said!r}\n{server.log()[-3000:]}")


def watch_health(port: int, ledger: Ledger, over: threading.Event, found: list[str]) -> None:
    """Ask for health all along; only a front that was just killed may not answer."""
    wire = Wire(port, PROBE_S)
    while not over.wait(HEALTH_EVERY_S):
        began = time.monotonic()
        try:
            answer = wire.get("/healthcheck")
        except TimeoutError:
            found.append(f"health said nothing for {PROBE_S:g} s")
        except CutOffError:
            continue
        else:
            ledger.health_s.append((began, time.monotonic() - began))
            if answer.status != 200:
                found.append(f"health said {answer.status}: {answer.body!r}")
    wire.close()


def left_at_rest(server: Served, disk: Path) -> list[str]:
    """What the server still holds once nobody asks for anything."""
    end = time.monotonic() + RECOVERY_S
    while True:
        counts = server.get("/ready").json()
        files = [str(path) for path in disk.glob("runway-serve-*/*.files/*")]
        found = [f"at rest: {files}"] if files else []
        if counts["queued"] or counts["running"]:
            found.append(f"at rest: {counts}")
        if not found or time.monotonic() > end:
            return found
        time.sleep(0.05)


class _Files(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        _, run, length = self.path.split("/")
        body = content(run, int(length))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with suppress(OSError):  # the worker that fetches it may be killed
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: object) -> None:
        """The worker that fetches may be killed at any moment."""


@contextmanager
def file_server() -> Iterator[str]:
    """Address of a server of files made on the spot."""
    server = _Server(("127.0.0.1", 0), _Files)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
