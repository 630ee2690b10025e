"""Opens a model's folder for the subcommands, and says what is wrong with it."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from runway_serve.project.description import FILE_NAME, GPU, Description, Entrypoint
from runway_serve.project.nodes import Remark
from runway_serve.project.reading import read_description
from runway_serve.project.targets import Target, resolve

DEFAULT_SCRIPT = "runway_model.py"


class ProjectError(Exception):
    """A folder cannot be checked, built or run; the text is for the user."""


def open_folder(folder: Path) -> Description:
    """What the folder's runway.yml says, errors included; without one, what `runway_model.py` alone needs.

    Raises:
        ProjectError: the folder has neither.
    """
    path = folder / FILE_NAME
    if path.is_file():
        description = read_description(path)
    elif (folder / DEFAULT_SCRIPT).is_file():
        text = (
            f"does not exist; {DEFAULT_SCRIPT} is taken, on the newest Python, without build steps"
        )
        remark = Remark(path, None, text)
        description = Description(
            path, Entrypoint(PurePosixPath(DEFAULT_SCRIPT)), remarks=(remark,)
        )
    else:
        raise ProjectError(
            f"{folder} has neither {FILE_NAME} nor {DEFAULT_SCRIPT}; give the folder of a model"
        )
    if description.entrypoint and not (folder / description.entrypoint.script).is_file():
        line = description.lines.get("entrypoint")
        text = f"entrypoint: {description.entrypoint.script} does not exist in {folder}"
        description.remarks += (Remark(path, line, text, is_error=True),)
    return description


def show(remarks: Iterable[Remark]) -> None:
    """One line a remark, on standard error."""
    for remark in remarks:
        print(remark, file=sys.stderr)


def usable(folder: Path) -> Description:
    """The description of a folder, its remarks shown.

    Raises:
        ProjectError: it has errors.
    """
    description = open_folder(folder)
    show(description.remarks)
    if errors := description.errors:
        raise ProjectError(
            f"{description.path} has {len(errors)} error{'s'[: len(errors) > 1]}, see above"
        )
    return description


def environments(description: Description, wanted: str | None) -> tuple[str, ...]:
    """The environments to build for: the one that was asked for, else all that `spec` allows.

    Raises:
        ProjectError: `spec` excludes the one that was asked for.
    """
    if wanted is None:
        return description.environments
    if wanted not in description.environments:
        line = description.lines.get("spec")
        raise ProjectError(
            f"{description.path}:{line}: spec.{wanted} is false, so there is no {wanted} build"
        )
    return (wanted,)


def buildable(
    description: Description,
    environment: str,
    is_modern: bool,
    base_image: str | None = None,
    has_image: bool = True,
) -> Target:
    """The target; what was replaced, or is likely to fail, is shown.

    Raises:
        ProjectError: a version cannot be had, and `--modern` was not given.
    """
    target = resolve(description, environment, is_modern, base_image, has_image)
    show(target.warnings)
    if is_modern:
        for swap in target.swaps:
            print(f"{description.path}: modern: {swap}", file=sys.stderr)
        return target
    if target.obstacles:
        lines = "\n".join(f"  {swap}" for swap in target.obstacles)
        raise ProjectError(
            f"{description.path} names versions that cannot be had any more; --modern would change\n{lines}"
        )
    show(step_warnings(description, target))
    return target


def step_warnings(description: Description, target: Target) -> list[Remark]:
    """Warnings for the pins of steps that are left as they are."""
    return [
        Remark(
            description.path, swap.line, f"{swap.old}: {swap.why}; --modern would take {swap.new}"
        )
        for swap in target.swaps
        if swap.is_of_step
    ]


def title(environment: str) -> str:
    """CPU or GPU, for people."""
    return "GPU" if environment == GPU else "CPU"
