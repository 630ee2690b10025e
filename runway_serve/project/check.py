"""`runway-serve check`: all that can be said of a model's folder before anything is built."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from runway_serve.project.description import Description
from runway_serve.project.environment import python_of
from runway_serve.project.folder import ProjectError, open_folder, step_warnings, title
from runway_serve.project.nodes import Remark
from runway_serve.project.script_manifest import ManifestError, ask_manifest, summary
from runway_serve.project.targets import Target, resolve

TIMEOUT_S = 120.0  # importing a large framework on a busy machine takes its time


def build_parser() -> argparse.ArgumentParser:
    """The command line of `runway-serve check`."""
    parser = argparse.ArgumentParser(
        prog="runway-serve check",
        description="Say what is wrong with a model's folder: its runway.yml, its versions, its script.",
        epilog="docs/runway-yml.md describes runway.yml.",
    )
    add = parser.add_argument
    add("folder", nargs="?", default=".", type=Path, help="the model's (default: this one)")
    add("--modern", action="store_true", help="as it would be built with --modern")
    add("--no-script", action="store_true", help="leave the script alone")
    add(
        "--timeout",
        type=float,
        default=TIMEOUT_S,
        metavar="S",
        help="longest time for the script's imports",
    )
    return parser


def main(argv: list[str]) -> int:
    """Exit code: 0 if runway.yml is right and the script loads, else 1; old versions are no mistake."""
    flags = build_parser().parse_args(argv)
    try:
        return check(flags)
    except ProjectError as error:
        print(f"runway-serve check: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return 130
    return 1


def check(flags: argparse.Namespace) -> int:
    """Print everything; the exit code.

    Raises:
        ProjectError: there is no model in the folder.
    """
    folder = flags.folder.resolve()
    description = open_folder(folder)
    _print(description.remarks)
    if description.errors:
        print(f"{len(description.errors)} in the way: nothing can be built or served")
        return 1
    for name in description.environments:
        target = resolve(description, name, is_modern=flags.modern)
        print("\n".join(target_lines(description, target, flags.modern)))
    return 0 if flags.no_script else check_script(description, folder, flags.timeout)


def target_lines(description: Description, target: Target, is_modern: bool) -> list[str]:
    """What a build for one environment is made of, or what keeps it from being built."""
    name = title(target.environment)
    changes = [f"    {swap}" for swap in target.swaps]
    remarks = [f"    {warning}" for warning in target.warnings]
    if target.obstacles and not is_modern:
        head = f"{name}: versions that cannot be had any more; --modern would change"
        return [head, *changes, *remarks]
    made_of = [target.base_image, f"Python {target.python}", *target.framework[-1:]]
    head = f"{name}: {', '.join(made_of)}, {len(target.steps)} build steps"
    if is_modern and changes:
        return [f"{head}; --modern changes", *changes, *remarks]
    return [head, *(f"    {remark}" for remark in step_warnings(description, target)), *remarks]


def check_script(description: Description, folder: Path, timeout_s: float) -> int:
    """Load the script for its manifest and print that; 1 if it gives none."""
    assert description.entrypoint is not None  # or there would be an error
    python = python_of(description)
    script = folder / description.entrypoint.script
    try:
        manifest = ask_manifest(python, script, description.entrypoint.arguments, timeout_s)
    except ManifestError as error:
        print(f"script: {error}")
        if "ModuleNotFoundError" in str(error):
            print(f"script: {python} lacks what it imports; `runway-serve run` installs it")
        return 1
    print("\n".join(f"script: {line}" for line in summary(manifest)))
    return 0


def _print(remarks: tuple[Remark, ...]) -> None:
    for remark in remarks:
        print(remark)
