"""`runway-serve`: reads the command line and starts the supervisor."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from runway_serve.config import ConfigError, ServeConfig, find_script
from runway_serve.workers.warmup_file import AUTO, WarmUpFileError, read_requests

EXAMPLES = """\
examples:
  runway-serve                              serve the model in this folder on all GPUs, or on the CPU without one
  runway-serve model.py --gpus 0,2          one worker on card 0 and one on card 2
  runway-serve model.py --gpus none --cpu-workers 4
  runway-serve model.py --model-options '{"checkpoint": "weights.pth"}' --port 8000
  runway-serve model.py -- --gain 3         what stands after -- is the script's own command line

other commands, each with its own --help (a folder of that name is served as ./bench):
  runway-serve bench URL COMMAND            load a running server and measure it
"""
# First word of the command line -> module whose `main(arguments)` returns the exit code.
SUBCOMMANDS = {"bench": "runway_serve.bench.cli"}


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
    workers = parser.add_argument_group("workers")
    workers.add_argument(
        "--gpus", help="all, none, or cards as 0,2 or UUIDs (RW_GPUS, default all)"
    )
    workers.add_argument(
        "--cpu-workers", type=_positive, default=1, metavar="N", help="workers without a GPU"
    )
    workers.add_argument(
        "--workers-per-gpu",
        type=_positive,
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
        type=_positive,
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
        "--max-batch-size", type=_positive, metavar="N", help="cap for batch=True commands"
    )
    queue.add_argument(
        "--max-wait-ms", type=float, metavar="MS", help="cap of a call's wait for its batch"
    )
    queue.add_argument(
        "--max-queue", type=_positive, default=1024, metavar="N", help="waiting calls a command"
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
    return parser


def main() -> None:
    """Entry point of the console script."""
    if len(sys.argv) > 1 and sys.argv[1] in SUBCOMMANDS:
        sys.exit(import_module(SUBCOMMANDS[sys.argv[1]]).main(sys.argv[2:]))
    argv, script_arguments = sys.argv[1:], []
    if "--" in argv:
        at = argv.index("--")
        argv, script_arguments = argv[:at], argv[at + 1 :]
    flags = build_parser().parse_args(argv)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr
    )
    if flags.strict_sdk:
        os.environ["RW_STRICT_SDK"] = "1"
    try:
        config = resolve(flags, script_arguments)
        if _is_on("RW_META") or _is_on("RW_NO_SERVE"):
            run_alone(config)
        from runway_serve.supervisor import Supervisor

        code = Supervisor(config).run()
    except ConfigError as error:
        sys.exit(f"runway-serve: {error}")
    sys.exit(code)


def resolve(flags: argparse.Namespace, script_arguments: list[str]) -> ServeConfig:
    """Settings from flags, then RW_* variables, then defaults.

    Raises:
        ConfigError: a value makes no sense.
    """
    port = flags.port if flags.port is not None else _int_variable("RW_PORT", 9000)
    return ServeConfig(
        script=find_script(flags.target).resolve(),
        arguments=tuple(script_arguments),
        host=flags.host or os.environ.get("RW_HOST", "127.0.0.1"),
        port=port,
        gpus=flags.gpus or os.environ.get("RW_GPUS", "all"),
        cpu_workers=flags.cpu_workers,
        workers_per_gpu=flags.workers_per_gpu,
        model_options=_model_options(flags.model_options),
        max_batch_size=flags.max_batch_size,
        max_wait_ms=flags.max_wait_ms,
        max_queue=flags.max_queue,
        lanes=_lanes(flags.coalesce or os.environ.get("RW_COALESCE", "auto")),
        request_timeout_s=flags.request_timeout,
        command_timeout_s=flags.command_timeout,
        setup_timeout_s=flags.setup_timeout,
        setup_attempts=flags.setup_attempts,
        warmup=_warmup(flags.warmup),
        graceful_timeout_s=flags.graceful_timeout,
        allow_paths=tuple(str(Path(path).resolve()) for path in flags.allow_path),
        allow_hosts=tuple(flags.allow_url),
    )


def run_alone(config: ServeConfig) -> None:
    """Become `python script.py`: for runs that print the manifest or only set the model up."""
    os.chdir(config.script.parent)
    command, environment = config.alone()
    os.execve(sys.executable, command, environment)


def _model_options(text: str | None) -> dict[str, Any] | None:
    text = text if text is not None else os.environ.get("RW_MODEL_OPTIONS")
    if text is None:
        return None
    try:
        options = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"model options are not JSON: {error}") from error
    if not isinstance(options, dict):
        raise ConfigError(f"model options must be a JSON object, got {text}")
    return options


def _lanes(text: str) -> int:
    if text == "auto":
        return ServeConfig.lanes
    if text == "off":
        return 1
    if not text.isdecimal() or int(text) < 1:
        raise ConfigError(f"--coalesce must be auto, off or a number of calls, got {text!r}")
    return int(text)


def _warmup(given: str | None) -> str | None:
    if given is None or given == AUTO:
        return given
    path = Path(given).resolve()
    try:
        read_requests(path)  # workers read it again; here a mistake costs no setup
    except WarmUpFileError as error:
        raise ConfigError(f"--warmup: {error}") from error
    return str(path)


def _int_variable(name: str, default: int) -> int:
    text = os.environ.get(name)
    try:
        return default if text is None else int(text)
    except ValueError:
        raise ConfigError(f"{name} must be a number, got {text}") from None


def _is_on(name: str) -> bool:
    return os.environ.get(name, "0") not in ("", "0")


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, got {text}")
    return int(text)


def _version() -> str:
    from importlib.metadata import version

    return f"runway-serve {version('runway-serve')}"


if __name__ == "__main__":
    main()
