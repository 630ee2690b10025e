"""`runway-serve explain`: which commands of a model run side by side, which networks are stacked, and why not.

The script runs in one worker process without HTTP; this one sees only what that reports.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from runway_serve.cli import model_options
from runway_serve.config import ConfigError, ServeConfig, find_script
from runway_serve.flags import above_zero, positive, split_at_dashes
from runway_serve.workers.child import describe_exit, kill_group, module_command, worker_environment
from runway_serve.workers.warmup_file import WarmUpFileError, read_requests

COMMAND_S = 30.0


def build_parser() -> argparse.ArgumentParser:
    """The command line of `runway-serve explain`."""
    parser = argparse.ArgumentParser(
        prog="runway-serve explain",
        description="Set a model up, run its commands with calls side by side, and tell what is coalesced and why.",
        epilog="Runs on the devices that this process sees. docs/coalescing.md explains the reasons. "
        "What stands after -- is the script's own command line.",
    )
    add = parser.add_argument
    add("target", nargs="?", default=".", metavar="script|folder", help="the model's (default: .)")
    add("--model-options", metavar="JSON", help="setup options (RW_MODEL_OPTIONS)")
    add("--requests", metavar="FILE", help="calls to run, as for --warmup (default: made up)")
    add("--lanes", type=positive, default=ServeConfig.lanes, metavar="N", help="calls at once")
    add(
        "--seconds",
        type=above_zero,
        default=COMMAND_S,
        metavar="S",
        help=f"time for each command (default {COMMAND_S:g}); slow ones take longer",
    )
    add("--json", action="store_true", help="print one JSON object")
    return parser


def main(argv: list[str]) -> int:
    """Exit code: 0 if the model could be set up, else 1."""
    argv, arguments = split_at_dashes(argv)
    flags = build_parser().parse_args(argv)
    try:
        found = ask(flags, arguments)
    except ConfigError as error:
        print(f"runway-serve explain: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return 130
    print(json.dumps(found, indent=2) if flags.json else "\n".join(lines(found)))
    return 0


def ask(flags: argparse.Namespace, arguments: list[str]) -> dict[str, Any]:
    """What the worker process found.

    Raises:
        ConfigError: there is no such script or file, or the script or its setup failed.
    """
    script, own_arguments = find_script(flags.target)
    config = {
        "script": str(script.resolve()),
        "arguments": arguments or list(own_arguments),
        "options": model_options(flags.model_options),
        "requests": _requests(flags.requests),
        "lanes": flags.lanes,
        "command_s": flags.seconds,
    }
    report, code = _run(config)
    if not report:
        raise ConfigError(f"{script.name} ended before it told anything: {describe_exit(code)}")
    found: dict[str, Any] = json.loads(report)
    if "error" in found:
        raise ConfigError(f"{script.name}: {found['error']}")
    return {"script": config["script"], "lanes": flags.lanes, **found}


def _requests(given: str | None) -> str | None:
    if given is None:
        return None
    path = Path(given).resolve()
    try:
        read_requests(path)  # the worker reads it again; here a mistake costs no setup
    except WarmUpFileError as error:
        raise ConfigError(f"--requests: {error}") from error
    return str(path)


def _run(config: Mapping[str, Any]) -> tuple[str, int]:
    """The worker's report and exit code; what its script prints goes to standard error."""
    read_fd, write_fd = os.pipe()
    process = subprocess.Popen(
        module_command("runway_serve.workers.explain"),
        stdin=subprocess.PIPE,
        stdout=2,
        env=worker_environment(1, {}),
        pass_fds=[write_fd],
        start_new_session=True,
    )
    os.close(write_fd)
    assert process.stdin is not None
    try:
        with os.fdopen(read_fd) as pipe:
            line = json.dumps({**config, "report_fd": write_fd})
            process.stdin.write(line.encode() + b"\n")
            process.stdin.flush()
            return pipe.read(), process.wait()
    finally:
        kill_group(process.pid, signal.SIGKILL)  # with what the script started
        process.stdin.close()
        process.wait()


def lines(found: Mapping[str, Any]) -> Iterator[str]:
    """The report for people."""
    for command in found["commands"]:
        if command["side_by_side"]:
            yield f"{command['name']}: up to {found['lanes']} calls run side by side"
        else:
            yield f"{command['name']}: one call at a time: {command['reason']}"
        if command.get("failed_calls"):
            yield f"    {command['failed_calls']} of {command['calls']} calls failed"
        for network in command["networks"]:
            yield f"    {network['name']} ({network['signature'] or 'no tensors'}): {_verdict(network)}"


def _verdict(network: Mapping[str, Any]) -> str:
    times = network["item_ms"]
    if not network["stacked"]:
        tried = ", ".join(f"{ms:g} ms in {size}" for size, ms in times.items() if size != "1")
        cost = f" ({times['1']:g} ms an item alone, {tried})" if "1" in times and tried else ""
        return f"not stacked: {network['reason']}{cost}"
    best = ", ".join(f"{times[str(size)]:g} ms in {size}" for size in network["paid_sizes"])
    return f"stacked; {times['1']:g} ms an item alone, {best}"
