"""`runway-serve run`: serves a model's folder in a virtual environment made from its runway.yml, without an engine."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from runway_serve.flags import split_at_dashes
from runway_serve.project.description import CPU, GPU, Description
from runway_serve.project.environment import (
    Environment,
    base_python,
    environment_of,
    prepare,
    variables,
)
from runway_serve.project.folder import ProjectError, buildable, environments, usable
from runway_serve.project.targets import Target

EXAMPLES = """\
examples:
  runway-serve run                                     this folder; asks before it runs build steps
  runway-serve run face --modern --yes -- --port 8000 --cpu-workers 2

What stands after -- goes to `runway-serve` itself. Environments are kept in ~/.cache/runway-serve (XDG_CACHE_HOME).
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line of `runway-serve run`."""
    parser = argparse.ArgumentParser(
        prog="runway-serve run",
        description="Make a virtual environment as runway.yml says, run the build steps in it, and serve.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("folder", nargs="?", default=".", type=Path, help="the model's (default: this one)")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--cpu", dest="environment", action="store_const", const=CPU)
    kind.add_argument(
        "--gpu",
        dest="environment",
        action="store_const",
        const=GPU,
        help="steps and framework for it (default: GPU if this machine has one)",
    )
    add("--yes", action="store_true", help="run the build steps unasked")
    add(
        "--modern",
        action="store_true",
        help="replace versions that cannot be had any more, and say which",
    )
    add("--rebuild", action="store_true", help="make the environment anew")
    return parser


def main(argv: list[str]) -> int:
    """Becomes `runway-serve` in the environment; exit code 1 if there is none, 130 after Ctrl-C."""
    own, handed_on = split_at_dashes(argv)
    flags = build_parser().parse_args(own)
    try:
        environment = ready_environment(flags)
    except ProjectError as error:
        print(f"runway-serve run: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return 130
    command = [str(environment.server), str(environment.model), *handed_on]
    os.execve(command[0], command, variables(environment))


def ready_environment(flags: argparse.Namespace) -> Environment:
    """The model's environment, made if need be and allowed.

    Raises:
        ProjectError: it cannot be made, or the user does not want it.
    """
    description = usable(flags.folder.resolve())
    wanted = flags.environment or default_environment(description)
    (name,) = environments(description, wanted)
    target = buildable(description, name, flags.modern, has_image=False)
    environment = environment_of(description, target)
    with environment.locked():
        if flags.rebuild:
            environment.remove()
        if not environment.is_complete:
            warn_of_python(target)
            if not flags.yes:
                ask(environment)
            prepare(environment)
    return environment


def default_environment(description: Description) -> str:
    """GPU if the model may use one and NVML finds one, else CPU; what `spec` allows if that is one only."""
    if len(description.environments) == 1:
        return description.environments[0]
    from runway_serve.workers.nvml import NvmlUnavailableError, cards

    try:
        return GPU if cards() else CPU
    except NvmlUnavailableError:
        return CPU


def warn_of_python(target: Target) -> None:
    """Say so if the environment gets another Python than the file asks for."""
    python = base_python(target)
    if python == sys.executable and target.python != f"3.{sys.version_info.minor}":
        print(
            f"runway-serve run: no python{target.python} on the PATH; Python 3.{sys.version_info.minor} is taken",
            file=sys.stderr,
        )


def ask(environment: Environment) -> None:
    """Show the build steps that would run, and wait for a yes. Nothing to ask without steps.

    Raises:
        ProjectError: the answer is no, or there is nobody to ask.
    """
    steps = environment.target.steps[max(environment.steps_done(), 0) :]
    if not steps:
        return
    print(f"These shell commands would run in {environment.model}, as you:", file=sys.stderr)
    for step in steps:
        print(f"  {step.command}", file=sys.stderr)
    if not sys.stdin.isatty():
        raise ProjectError("nobody to ask; --yes runs the build steps")
    print("Run them? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise ProjectError("not run")
