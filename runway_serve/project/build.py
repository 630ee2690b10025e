"""`runway-serve build`: writes the Dockerfile of a model's folder and lets an engine build it."""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from runway_serve.flags import split_at_dashes
from runway_serve.project.context import Context, write_context
from runway_serve.project.description import CPU, GPU, Description
from runway_serve.project.dockerfile import OUTPUT_FOLDER
from runway_serve.project.engines import ENGINES, build_command, find_engine, run_command
from runway_serve.project.folder import ProjectError, buildable, environments, title, usable
from runway_serve.project.targets import Target

EXAMPLES = """\
examples:
  runway-serve build --cpu                      an image of this folder, named like it
  runway-serve build face --gpu --tag face:2 --modern
  runway-serve build --cpu --dry-run            only show the Dockerfile
  runway-serve build --cpu -- --no-cache        what stands after -- goes to the engine's build command

docs/runway-yml.md describes runway.yml, docs/deployment.md how to run the image.
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line of `runway-serve build`."""
    parser = argparse.ArgumentParser(
        prog="runway-serve build",
        description="Build an image of a model's folder, as its runway.yml says.",
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
        help="build for one of them (default: each that runway.yml's spec allows)",
    )
    add("--tag", type=_tag, metavar="NAME[:TAG]", help="of the image (default: the folder's name)")
    add(
        "--base-image",
        metavar="IMAGE",
        help="build on it; it must have Python 3.10 to 3.13 with venv",
    )
    add(
        "--modern",
        action="store_true",
        help="replace versions that cannot be had any more, and say which",
    )
    add("--engine", choices=ENGINES, help="what builds (default: the first that works)")
    add(
        "--sdk-wheel",
        type=Path,
        metavar="FILE",
        help="runway-serve for the image (default: this very one)",
    )
    add("--dry-run", action="store_true", help="show the Dockerfile; write and build nothing")
    return parser


def main(argv: list[str]) -> int:
    """Exit code: 0, 1 if it cannot be built, the engine's if that failed, 130 after Ctrl-C."""
    own, handed_on = split_at_dashes(argv)
    flags = build_parser().parse_args(own)
    try:
        return build(flags, handed_on)
    except ProjectError as error:
        print(f"runway-serve build: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return 130


def build(flags: argparse.Namespace, extra: Sequence[str]) -> int:
    """Build every environment that was asked for; the exit code of the first engine that failed, else 0.

    Raises:
        ProjectError: the folder cannot be built.
    """
    description = usable(flags.folder.resolve())
    chosen = environments(description, flags.environment)
    targets = [buildable(description, name, flags.modern, flags.base_image) for name in chosen]
    if flags.dry_run:
        for target in targets:
            show_dry(description, target, flags.sdk_wheel)
        return 0
    engine = find_engine(flags.engine)
    output = description.path.parent / OUTPUT_FOLDER
    output.mkdir(exist_ok=True)
    for target in targets:
        tag = _tag_for(target, flags.tag or _default_tag(flags.folder), is_one=len(targets) == 1)
        context = write_context(description, target, flags.sdk_wheel, output)
        if code := _build_one(engine, context, target, tag, extra):
            return code
    return 0


def show_dry(description: Description, target: Target, wheel: Path | None) -> None:
    """Print the Dockerfile and the ignore file of a target, without a trace in the model's folder.

    Raises:
        ProjectError: there is no wheel for the image.
    """
    with tempfile.TemporaryDirectory(prefix="runway-build-") as folder:
        context = write_context(description, target, wheel, Path(folder))
        print(context.dockerfile.read_text("utf8"))
        print("# --- .dockerignore")
        print("\n".join(f"# {line}" for line in context.ignore_file.read_text("utf8").splitlines()))


def _build_one(
    engine: str, context: Context, target: Target, tag: str, extra: Sequence[str]
) -> int:
    command = build_command(engine, context, tag, extra)
    print(f"{title(target.environment)}: {shlex.join(command)}", flush=True)
    began = time.monotonic()
    code = subprocess.run(command, check=False).returncode
    elapsed_s = time.monotonic() - began
    if code:
        print(
            f"runway-serve build: {engine} ended with {code} after {elapsed_s:.0f} s; the step it failed in is above",
            file=sys.stderr,
        )
        return code
    print(f"built {tag} in {elapsed_s:.0f} s; run it: {run_command(engine, tag, target.is_gpu)}")
    return 0


def _default_tag(folder: Path) -> str:
    """An image name made of the folder's: small letters, digits, and single signs between them."""
    name = re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).strip("-")
    return name or "runway-model"


def _tag_for(target: Target, tag: str, is_one: bool) -> str:
    """The tag itself for one image; of two, each with its environment: `face:cpu`, `face:2-cpu`."""
    if is_one:
        return tag
    has_version = ":" in tag.rpartition("/")[2]
    return f"{tag}{'-' if has_version else ':'}{target.environment}"


def _tag(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9._:/-]*(:[\w][\w.-]{0,127})?", text):
        raise argparse.ArgumentTypeError(
            f"an image name has small letters, digits and ._-/: only, got {text!r}"
        )
    return text
