"""`runway-serve bench`: reads its command line, runs one load after another, reports."""

from __future__ import annotations

import argparse
import json
import resource
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from runway_serve.bench.body import read_body, read_headers
from runway_serve.bench.measurement import Measurement, Step, measure
from runway_serve.bench.on_loop import on_loop
from runway_serve.bench.plot import draw, require_matplotlib
from runway_serve.bench.progress import Progress
from runway_serve.bench.report import document, table
from runway_serve.bench.server import check, server_pid
from runway_serve.bench.target import BenchError, Target
from runway_serve.flags import number_of, seconds

EXAMPLES = """\
examples:
  runway-serve bench http://127.0.0.1:9000 greet --body '{"name": "Ada"}'
  runway-serve bench 127.0.0.1:9000 upscale --image picture=photo.jpg --concurrency 1,8
  runway-serve bench 127.0.0.1:9000 greet --body greet.json --rate 500,1000,2000 --plot rates.png

Without --rate each client sends its next request when its answer came (closed loop). With --rate requests are due at
times of their own, and latencies count from those times (open loop).
"""
CONCURRENCY = "1,8,32,128"
SPARE_FILES = 64
T = TypeVar("T")


def build_parser() -> argparse.ArgumentParser:
    """The command line of `runway-serve bench`."""
    parser = argparse.ArgumentParser(
        prog="runway-serve bench",
        description="Load a command of a running server; measure throughput, latencies, batch sizes and CPU time.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("url", metavar="URL", help="the server, as http://127.0.0.1:9000")
    add("command", metavar="COMMAND", help="the command to call")
    request = parser.add_argument_group("request")
    add = request.add_argument
    add("--body", metavar="JSON|FILE", help="inputs, as JSON or in a file (default: {})")
    add(
        "--image",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="send a picture as the input NAME; may be repeated",
    )
    add(
        "--header",
        action="append",
        default=[],
        metavar="'NAME: VALUE'",
        help="a further header, a token for example; may be repeated",
    )
    add("--timeout", type=seconds, default=60.0, metavar="S", help="longest wait for an answer")
    load = parser.add_argument_group("load")
    add = load.add_argument
    kind = load.add_mutually_exclusive_group()
    kind.add_argument(
        "--concurrency",
        type=_list_of(_positive),
        metavar="N,...",
        help=f"closed loop: numbers of clients (default {CONCURRENCY})",
    )
    kind.add_argument(
        "--rate", type=_list_of(_rate), metavar="R,...", help="open loop: requests a second"
    )
    add(
        "--arrivals",
        choices=("poisson", "constant"),
        default="poisson",
        help="open loop: random or equal gaps (default poisson)",
    )
    add(
        "--max-connections",
        type=_positive,
        default=1024,
        metavar="N",
        help="open loop: most connections (default 1024)",
    )
    add("--duration", type=seconds, default=10.0, metavar="S", help="of each run (default 10)")
    add("--warmup", type=_seconds_or_zero, default=2.0, metavar="S", help="before it (default 2)")
    add("--requests", type=_positive, metavar="N", help="end a run after that many requests")
    output = parser.add_argument_group("output")
    add = output.add_argument
    add("--json", metavar="FILE", help="everything as JSON; - is standard output, without a table")
    add("--plot", type=Path, metavar="FILE.png", help="draw throughput and latencies")
    add(
        "--pid",
        type=_positive,
        metavar="PID",
        help="the server's first process, for CPU time (default: who listens at a local URL)",
    )
    return parser


def main(argv: list[str]) -> int:
    """Exit code: 0, 1 if nothing could be measured or nothing was answered, 130 after Ctrl-C."""
    flags = build_parser().parse_args(argv)
    measurements: list[Measurement] = []
    try:
        run(flags, measurements)
    except BenchError as error:
        print(f"runway-serve bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return 130
    return 0 if any(measurement.tally.good for measurement in measurements) else 1


def run(flags: argparse.Namespace, measurements: list[Measurement]) -> None:
    """Measure all steps into `measurements` and report them, or those that were done when Ctrl-C came.

    Raises:
        BenchError: nothing can be measured, or a report cannot be written.
    """
    check_outputs(flags)
    target = Target.of(
        flags.url,
        flags.command,
        read_body(flags.body, flags.image),
        read_headers(flags.header),
        flags.timeout,
    )
    server = check(target)
    pid = flags.pid or server_pid(target)
    allow_files(max([flags.max_connections, *(flags.concurrency or [])]))
    progress = Progress()
    try:
        for step in steps(flags):
            progress.name = step.name
            measurements.append(on_loop(partial(measure, target, step, pid, progress.tick)))
            progress.done(measurements[-1])
    finally:
        progress.clear()
        if measurements:
            report(flags, measurements, document(measurements, target, server, pid))
    if flags.plot:
        draw(measurements, target, flags.plot)


def steps(flags: argparse.Namespace) -> list[Step]:
    """The runs that were asked for, in order."""
    common = {
        "is_poisson": flags.arrivals == "poisson",
        "max_connections": flags.max_connections,
        "duration_s": flags.duration,
        "warmup_s": flags.warmup,
        "limit": flags.requests,
    }
    if flags.rate:
        return [Step(rate_per_s=rate, **common) for rate in flags.rate]
    concurrency = flags.concurrency or [int(word) for word in CONCURRENCY.split(",")]
    return [Step(concurrency=clients, **common) for clients in concurrency]


def check_outputs(flags: argparse.Namespace) -> None:
    """Find out before the runs rather than after them that a file cannot be written.

    Raises:
        BenchError: matplotlib or the file's folder is missing.
    """
    if flags.plot:
        require_matplotlib()
    for name, path in (("--json", flags.json), ("--plot", flags.plot)):
        if path and not Path(path).parent.is_dir():
            raise BenchError(f"{name} {path}: the folder {Path(path).parent} does not exist")


def report(
    flags: argparse.Namespace, measurements: list[Measurement], figures: dict[str, Any]
) -> None:
    """Print the table or the JSON, and write the JSON's file.

    Raises:
        BenchError: the file cannot be written.
    """
    text = json.dumps(figures, indent=2)
    if flags.json == "-":
        print(text)
        return
    print(table(measurements))
    if flags.json:
        try:
            Path(flags.json).write_text(text + "\n")
        except OSError as error:
            raise BenchError(f"--json {flags.json}: {error.strerror}") from error


def allow_files(connections: int) -> None:
    """Let this process open that many connections, as far as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + SPARE_FILES
    if soft < wanted:
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))


def _list_of(parse: Callable[[str], T]) -> Callable[[str], list[T]]:
    return lambda text: [parse(word.strip()) for word in text.split(",")]


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, got {text!r}")
    return int(text)


def _rate(text: str) -> float:
    return number_of(text, lambda value: value > 0, "a number above 0")


def _seconds_or_zero(text: str) -> float:
    return number_of(text, lambda value: value >= 0, "seconds")
