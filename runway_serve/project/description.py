"""`Description`: what a runway.yml says, with the line of each value. `docs/runway-yml.md` is the file's manual.

`reading.py` reads it; what its versions mean for an image of today is in `targets.py`.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from runway_serve.project.nodes import Remark

FILE_NAME = "runway.yml"
CPU, GPU = "cpu", "gpu"
EXAMPLE = "such as: python runway_model.py"
SHELL_SIGNS = {"&&", "||", "|", ";", "&", ">", "<"}


class DescriptionError(Exception):
    """A runway.yml cannot be used; the text is one line an error, each with file and line."""


@dataclass(frozen=True)
class Step:
    """One build step: a shell command, for one environment (`cpu`, `gpu`) or for both."""

    command: str
    line: int
    environment: str | None = None


@dataclass(frozen=True)
class Entrypoint:
    """The model script, relative to the folder of its runway.yml, and the script's own arguments."""

    script: PurePosixPath
    arguments: tuple[str, ...] = ()


@dataclass
class Description:
    """What a runway.yml says; a key that is absent or wrong has its default. `lines` has where each key's value is."""

    path: Path
    entrypoint: Entrypoint | None = None
    python: str | None = None
    cuda: str | None = None
    cuda_flavor: str = "runtime"
    framework: str | None = None
    framework_version: str | None = None
    environments: tuple[str, ...] = (CPU, GPU)
    ignore: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    lines: dict[str, int] = field(default_factory=dict)
    remarks: tuple[Remark, ...] = ()

    @property
    def errors(self) -> list[Remark]:
        """Why it cannot be used."""
        return [remark for remark in self.remarks if remark.is_error]

    def steps_for(self, environment: str) -> tuple[Step, ...]:
        """The steps of a CPU or GPU build, in order."""
        return tuple(step for step in self.steps if step.environment in (None, environment))


def parse_entrypoint(text: str) -> Entrypoint:
    """Script and arguments of `python [flags] script.py [arguments]`.

    Raises:
        ValueError: it is not of that form; the text says why.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ValueError(f"is no command: {error}: {text}") from error
    if SHELL_SIGNS & set(words) or any(word.endswith(";") for word in words):
        raise ValueError(f"must be one Python command, {EXAMPLE}, not a line of shell: {text}")
    at = next((at for at, word in enumerate(words) if word.endswith(".py")), None)
    if at is None:
        raise ValueError(f"names no Python script; write one, {EXAMPLE}")
    script = PurePosixPath(words[at])
    if script.is_absolute() or ".." in script.parts:
        raise ValueError(f"must name a script inside the model's folder, not {script}")
    return Entrypoint(script, tuple(words[at + 1 :]))
