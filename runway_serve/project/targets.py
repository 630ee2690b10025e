"""`Target`: what an image or an environment for a `Description` is made of, on CPU or GPU.

A file of 2019 names versions that cannot hold runway-serve, or that nobody publishes any more. Without `--modern` they
are obstacles, each with the version that would take its place; with it they are replaced, and every change is noted.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from runway_serve.project import releases
from runway_serve.project.description import GPU, Description, Step
from runway_serve.project.nodes import Remark
from runway_serve.project.pins import (
    installs,
    old_pins,
    old_pins_of_file,
    renewed,
    requirement_files,
)


@dataclass(frozen=True)
class Swap:
    """A version that cannot be had, and the one that takes its place."""

    line: int | None
    old: str
    new: str
    why: str
    is_of_step: bool = False  # a step is the author's shell: it may fail, but can be tried as it is

    def __str__(self) -> str:
        place = "" if self.line is None else f"line {self.line}: "
        return f"{place}{self.old} -> {self.new} ({self.why})"


@dataclass
class Target:
    """What to build: Python, base image, framework requirements, steps; and what was replaced or must be.

    `python` is None where the base image, given by name, decides it.
    """

    environment: str
    base_image: str = ""
    python: str | None = None
    cuda: str | None = None
    framework: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    swaps: list[Swap] = field(default_factory=list)
    warnings: list[Remark] = field(default_factory=list)

    @property
    def is_gpu(self) -> bool:
        """Whether it is for machines with an NVIDIA card."""
        return self.environment == GPU

    @property
    def obstacles(self) -> list[Swap]:
        """Why it cannot be built without `--modern`."""
        return [swap for swap in self.swaps if not swap.is_of_step]


def resolve(
    description: Description,
    environment: str,
    is_modern: bool = False,
    base_image: str | None = None,
    has_image: bool = True,
) -> Target:
    """The target with every version that cannot be had replaced; `swaps` has what that changed.

    Args:
        description: without errors.
        environment: `cpu` or `gpu`.
        is_modern: replace old pins in the steps too.
        base_image: brings its own Python and CUDA; None takes a public image.
        has_image: False for a virtual environment, where CUDA is the machine's.
    """
    target = Target(environment)
    _choose_python(target, description, base_image)
    if base_image:
        target.base_image = base_image
    elif has_image and target.is_gpu:
        _choose_cuda(target, description)
    elif has_image:
        target.base_image = f"python:{target.python}-slim-bookworm"
    python = target.python or releases.MODERN_PYTHON
    _choose_framework(target, description, python)
    _choose_steps(target, description, python, is_modern)
    return target


def _choose_python(target: Target, description: Description, base_image: str | None) -> None:
    line, wanted = description.lines.get("python"), description.python
    if base_image:
        if wanted:
            target.warnings.append(
                Remark(description.path, line, f"python {wanted} gives way to that of {base_image}")
            )
        return
    target.python = wanted or releases.MODERN_PYTHON
    if target.python not in releases.PYTHONS:
        why = "runway-serve needs Python 3.10 to 3.13"
        target.python = releases.MODERN_PYTHON
        target.swaps.append(Swap(line, f"python {wanted}", f"python {target.python}", why))


def _choose_cuda(target: Target, description: Description) -> None:
    line, wanted = description.lines.get("cuda"), description.cuda
    target.cuda = wanted or releases.MODERN_CUDA
    if target.cuda not in releases.CUDA_IMAGES:
        target.cuda = releases.MODERN_CUDA
        why = f"images we know: {', '.join(releases.CUDA_IMAGES)}"
        target.swaps.append(Swap(line, f"cuda {wanted}", f"cuda {target.cuda}", why))
    release, cudnn, ubuntu = releases.CUDA_IMAGES[target.cuda]
    flavor = description.cuda_flavor
    target.base_image = f"nvidia/cuda:{release}-{cudnn}-{flavor}-ubuntu{ubuntu}"


def _choose_framework(target: Target, description: Description, python: str) -> None:
    name = description.framework
    if name is None:
        return
    package, version = releases.package_of(name), description.framework_version
    if version is None and description.python in releases.PYTHONS:
        version = releases.MODERN_RELEASES[
            package
        ]  # the documented release never had such a Python
    was = version or releases.DOCUMENTED_FRAMEWORKS[name]
    if releases.is_too_old(package, was, python):
        version = releases.MODERN_RELEASES[package]
        why = f"no build of {was} for Python {python}{_PORTING[name]}"
        line = description.lines.get("framework")
        target.swaps.append(Swap(line, f"{name} {was}", f"{name} {version}", why))
    target.framework = _requirements(package, version or was, target.is_gpu)


def _requirements(package: str, version: str, is_gpu: bool) -> tuple[str, ...]:
    """Arguments of `pip install` for the build of a framework that fits the environment."""
    if package == "tensorflow":
        return (f"tensorflow[and-cuda]=={version}" if is_gpu else f"tensorflow=={version}",)
    if is_gpu:
        return (f"torch=={version}",)
    local = version if "+" in version else f"{version}+cpu"
    return ("--extra-index-url", releases.TORCH_CPU_INDEX, f"torch=={local}")


def _choose_steps(target: Target, description: Description, python: str, is_modern: bool) -> None:
    steps = []
    for step in description.steps_for(target.environment):
        pins = old_pins(step.command, python) if installs(step) else []
        for pin in pins:
            why = f"no build for Python {python}"
            target.swaps.append(Swap(step.line, pin.text, pin.instead, why, is_of_step=True))
        command = renewed(step.command, pins) if is_modern else step.command
        steps.append(replace(step, command=command))
        for path in requirement_files(step, description.path.parent):
            for line, pin in old_pins_of_file(path, python):
                text = f"{pin.text} has no build for Python {python}; write {pin.instead}"
                target.warnings.append(Remark(path, line, text))
        if any(word in step.command.split() for word in ("conda", "sudo")):
            text = f"build step: {step.command.split()[0]} is not in the image unless the base image has it"
            target.warnings.append(Remark(description.path, step.line, text))
    target.steps = tuple(steps)


_PORTING = {
    "tensorflow": "; scripts of TensorFlow 1 need tf.compat.v1",
    "pytorch": "",
}
