"""`runway-serve`: reads the command line and starts the supervisor."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from runway_serve.config import ConfigError, ServeConfig, find_script
from runway_serve.flags import build_parser, split_at_dashes
from runway_serve.workers.log_lines import VARIABLE, configure
from runway_serve.workers.warmup_file import AUTO, WarmUpFileError, read_requests

MIB = 1 << 20
WEBSOCKET_IDLE_S = 3600.0
# First word of the command line -> module whose `main(arguments)` returns the exit code.
SUBCOMMANDS = {
    "bench": "runway_serve.bench.cli",
    "build": "runway_serve.project.build",
    "check": "runway_serve.project.check",
    "examples": "runway_serve.examples.cli",
    "explain": "runway_serve.explain",
    "run": "runway_serve.project.run",
    "top": "runway_serve.top.cli",
}


def main() -> None:
    """Entry point of the console script."""
    if len(sys.argv) > 1 and sys.argv[1] in SUBCOMMANDS:
        sys.exit(import_module(SUBCOMMANDS[sys.argv[1]]).main(sys.argv[2:]))
    argv, script_arguments = split_at_dashes(sys.argv[1:])
    flags = build_parser().parse_args(argv)
    if flags.log_format is not None:
        os.environ[VARIABLE] = flags.log_format
    configure("supervisor")
    if flags.strict_sdk:
        os.environ["RW_STRICT_SDK"] = "1"
    if flags.max_pixels is not None:
        os.environ["RW_MAX_PIXELS"] = str(flags.max_pixels)
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
    script, own_arguments = find_script(flags.target)
    return ServeConfig(
        script=script.resolve(),
        arguments=tuple(script_arguments) or own_arguments,
        host=flags.host or os.environ.get("RW_HOST", "127.0.0.1"),
        port=port,
        gpus=flags.gpus or os.environ.get("RW_GPUS", "all"),
        cpu_workers=flags.cpu_workers,
        workers_per_gpu=flags.workers_per_gpu,
        model_options=model_options(flags.model_options),
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
        job_ttl_s=flags.job_ttl,
        job_timeout_s=flags.job_timeout,
        max_jobs=flags.max_jobs,
        max_job_bytes=flags.max_job_bytes,
        token_digests=_token_digests(flags.token),
        origins=_origins(flags.cors),
        http_limits=_given(
            max_body_bytes=_bytes(flags.max_body_mb),
            max_pending_bytes=_bytes(flags.max_pending_mb),
            read_timeout_s=flags.read_timeout,
            max_connections=flags.max_connections,
            max_websockets=flags.max_websockets,
            max_websocket_jobs=flags.max_websocket_jobs,
            websocket_idle_s=flags.websocket_idle_timeout or WEBSOCKET_IDLE_S,
        ),
        file_limits=_given(
            max_bytes=_bytes(flags.max_download_mb),
            timeout_s=flags.download_timeout,
            max_members=flags.max_archive_files,
            max_unpacked_bytes=_bytes(flags.max_archive_mb),
        ),
    )


def run_alone(config: ServeConfig) -> None:
    """Become `python script.py`: for runs that print the manifest or only set the model up."""
    os.chdir(config.script.parent)
    command, environment = config.alone()
    os.execve(sys.executable, command, environment)


def _given(**limits: Any) -> dict[str, Any]:
    """The limits that were given; the others keep their defaults."""
    return {name: value for name, value in limits.items() if value is not None}


def _bytes(megabytes: float | None) -> int | None:
    return None if megabytes is None else max(1, int(megabytes * MIB))


def _token_digests(flags: list[str]) -> tuple[str, ...]:
    """Digests of the tokens of the command line and of RW_TOKEN, which is taken out of the environment."""
    variable = os.environ.pop("RW_TOKEN", "")
    tokens = [*flags, *(token.strip() for token in variable.split(",") if token.strip())]
    for token in tokens:
        if not re.fullmatch(r"[!-~]+", token):
            raise ConfigError("--token: a token is made of printable ASCII characters, no blanks")
    return tuple(hashlib.sha256(token.encode()).hexdigest() for token in tokens)


def _origins(flags: list[str] | None) -> tuple[str, ...] | None:
    if flags is None:
        return None
    origins = [flag.rstrip("/").lower() for flag in flags if flag != "none"]
    for origin in origins:
        if not re.fullmatch(r"https?://[^/\s?#*]+", origin):
            raise ConfigError(f"--cors: {origin} is no origin, such as https://app.example")
    return tuple(origins)


def model_options(text: str | None) -> dict[str, Any] | None:
    """Setup options of the flag or of RW_MODEL_OPTIONS; None if none are given.

    Raises:
        ConfigError: they are no JSON object.
    """
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


if __name__ == "__main__":
    main()
