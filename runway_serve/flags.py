"""The flags of `runway-serve`; `cli.py` makes settings of them.

Limits without a value here keep the defaults of `runway.limits.HttpLimits` and `runway.downloads.FilePolicy`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

EXAMPLES = """\
examples:
  runway-serve                              serve the model in this folder on all GPUs, or on the CPU without one
  runway-serve model.py --gpus 0,2          one worker on card 0 and one on card 2
  runway-serve model.py --gpus none --cpu-workers 4
  runway-serve model.py --model-options '{"checkpoint": "weights.pth"}' --port 8000
  runway-serve model.py -- --gain 3         what stands after -- is the script's own command line

other commands, each with its own --help (a folder of that name is served as ./bench):
  runway-serve bench URL COMMAND            load a running server and measure it
  runway-serve check [FOLDER]               what is wrong with a model's folder and its runway.yml
  runway-serve build [FOLDER] --cpu|--gpu   an image of it
  runway-serve run [FOLDER]                 serve it in an environment of its own, without an image
  runway-serve explain script|folder        which commands and networks are coalesced, which not, and why
  runway-serve examples                     list the example models; fetch their weights, serve one
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line of `runway-serve`."""
    parser = argparse.ArgumentParser(
        prog="runway-serve",
        description="Serve a Runway model script over HTTP, one worker process a GPU.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "target",
        nargs="?",
        default=".",
        metavar="script|folder",
        help="a folder means its runway.yml's entrypoint, or runway_model.py (default: this one)",
    )
    parser.add_argument("--version", action="version", version=_version())
    web = parser.add_argument_group("web")
    web.add_argument("--host", help="address to bind (RW_HOST, default 127.0.0.1)")
    web.add_argument("--port", type=int, help="port to bind (RW_PORT, default 9000)")
    web.add_argument(
        "--log-format", choices=("text", "json"), help="of log lines (RW_LOG_FORMAT, default text)"
    )
    _add_access(parser)
    _add_http_limits(parser)
    workers = parser.add_argument_group("workers")
    workers.add_argument(
        "--gpus", help="all, none, or cards as 0,2 or UUIDs (RW_GPUS, default all)"
    )
    workers.add_argument(
        "--cpu-workers", type=positive, default=1, metavar="N", help="workers without a GPU"
    )
    workers.add_argument(
        "--workers-per-gpu",
        type=positive,
        default=1,
        metavar="N",
        help="workers that share a card",
    )
    model = parser.add_argument_group("model")
    model.add_argument("--model-options", metavar="JSON", help="setup options (RW_MODEL_OPTIONS)")
    model.add_argument(
        "--setup-timeout",
        type=float,
        default=1800.0,
        metavar="S",
        help="longest time to a worker's readiness",
    )
    model.add_argument(
        "--setup-attempts",
        type=positive,
        default=5,
        metavar="N",
        help="failures in a row before a worker is given up",
    )
    model.add_argument(
        "--warmup",
        metavar="FILE|auto",
        help="requests a worker runs before it is ready: from a JSON file, or made up from the types",
    )
    model.add_argument(
        "--strict-sdk", action="store_true", help="images and NaN exactly as the old SDK had them"
    )
    queue = parser.add_argument_group("queue")
    queue.add_argument(
        "--max-batch-size", type=positive, metavar="N", help="cap for batch=True commands"
    )
    queue.add_argument(
        "--max-wait-ms", type=float, metavar="MS", help="cap of a call's wait for its batch"
    )
    queue.add_argument(
        "--max-queue", type=positive, default=1024, metavar="N", help="waiting calls a command"
    )
    queue.add_argument(
        "--coalesce",
        metavar="auto|off|N",
        help="run up to N calls of a command side by side where that is safe (RW_COALESCE, default auto: 32)",
    )
    queue.add_argument(
        "--request-timeout",
        type=float,
        default=300.0,
        metavar="S",
        help="longest time to an answer",
    )
    queue.add_argument(
        "--command-timeout", type=float, metavar="S", help="kill a worker whose call runs longer"
    )
    queue.add_argument(
        "--graceful-timeout",
        type=float,
        default=30.0,
        metavar="S",
        help="time for running calls at SIGTERM",
    )
    _add_jobs(parser)
    files = parser.add_argument_group("files in inputs")
    files.add_argument(
        "--allow-path",
        action="append",
        default=[],
        metavar="DIR",
        help="local paths that inputs may name",
    )
    files.add_argument(
        "--allow-url",
        action="append",
        default=[],
        metavar="HOST",
        help="private hosts that inputs may name",
    )
    _add_file_limits(files)
    return parser


def _add_access(parser: argparse.ArgumentParser) -> None:
    access = parser.add_argument_group("access")
    access.add_argument(
        "--token",
        action="append",
        default=[],
        metavar="TOKEN",
        help="what clients must send as Authorization: Bearer TOKEN; may be given several times. Other users of this "
        "machine can read a command line: RW_TOKEN, separated by commas, is the safer way",
    )
    access.add_argument(
        "--cors",
        action="append",
        metavar="ORIGIN",
        help="site whose pages may use the API, as https://app.example; several times, or none (default: every site "
        "may call commands, none may call POST /setup)",
    )


def _add_jobs(parser: argparse.ArgumentParser) -> None:
    jobs = parser.add_argument_group("jobs (Prefer: respond-async)")
    for flag, kind, default, metavar, text in (
        ("--job-ttl", above_zero, 600.0, "S", "time a result is kept"),
        (
            "--job-timeout",
            above_zero,
            3600.0,
            "S",
            "longest time to a job's end, instead of --request-timeout",
        ),
        ("--max-jobs", positive, 1000, "N", "jobs that run or are kept"),
        ("--max-job-bytes", positive, 256 << 20, "B", "of kept results"),
    ):
        jobs.add_argument(flag, type=kind, default=default, metavar=metavar, help=text)


def _add_http_limits(parser: argparse.ArgumentParser) -> None:
    limits = parser.add_argument_group("limits of HTTP")
    for flag, kind, metavar, text in (
        (
            "--max-body-mb",
            above_zero,
            "MB",
            "largest body, also after gzip is undone (default 128)",
        ),
        (
            "--max-pending-mb",
            above_zero,
            "MB",
            "bodies and decoded inputs of all unanswered requests (default 2048)",
        ),
        (
            "--max-pixels",
            positive,
            "N",
            "largest image of an input (RW_MAX_PIXELS, default 100000000)",
        ),
        (
            "--read-timeout",
            above_zero,
            "S",
            "time for a request to arrive; 16 KB/s of body extend it (default 30)",
        ),
        ("--max-connections", positive, "N", "open connections (default 20000)"),
        ("--max-websockets", positive, "N", "open WebSockets (default 10000)"),
        ("--max-websocket-jobs", positive, "N", "unfinished jobs of a WebSocket (default 1000)"),
        (
            "--websocket-idle-timeout",
            above_zero,
            "S",
            "close a WebSocket that did nothing for so long (default 3600)",
        ),
    ):
        limits.add_argument(flag, type=kind, metavar=metavar, help=text)


def _add_file_limits(files: argparse._ArgumentGroup) -> None:
    for flag, kind, metavar, text in (
        ("--max-download-mb", above_zero, "MB", "largest file that is fetched (default 8192)"),
        ("--download-timeout", above_zero, "S", "time to fetch and unpack one (default 600)"),
        ("--max-archive-files", positive, "N", "files and folders in an archive (default 100000)"),
        ("--max-archive-mb", above_zero, "MB", "unpacked size of an archive (default 16384)"),
    ):
        files.add_argument(flag, type=kind, metavar=metavar, help=text)


def split_at_dashes(argv: list[str]) -> tuple[list[str], list[str]]:
    """A command line before and behind its first `--`, which hands the rest to somebody else."""
    at = argv.index("--") if "--" in argv else len(argv)
    return argv[:at], argv[at + 1 :]


def positive(text: str) -> int:
    """A whole number of at least 1, for argparse."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, got {text}")
    return int(text)


def above_zero(text: str) -> float:
    """A finite number above 0, for argparse."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a number above 0, got {text}")
    return value


def seconds(text: str) -> float:
    """A finite time above 0, for argparse."""
    return number_of(text, lambda value: value > 0, "seconds above 0")


def number_of(text: str, accept: Callable[[float], bool], wanted: str) -> float:
    """A finite number that is accepted, for argparse; `wanted` says which are."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not accept(value) or value == float("inf"):
        raise argparse.ArgumentTypeError(f"must be {wanted}, got {text!r}")
    return value


def _version() -> str:
    from importlib.metadata import version

    return f"runway-serve {version('runway-serve')}"
