"""The folder `.runway-serve` in a model's folder: Dockerfile, ignore file and the SDK's wheel, for an engine."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from runway_serve.project.description import FILE_NAME, Description
from runway_serve.project.dockerfile import OUTPUT_FOLDER, dockerfile
from runway_serve.project.folder import ProjectError
from runway_serve.project.sdk_wheel import NoWheelError, write_wheel
from runway_serve.project.targets import Target

ALWAYS_IGNORED = ("**/__pycache__", "**/.venv", ".dockerignore")


@dataclass(frozen=True)
class Context:
    """Where the written files are. The ignore file has the name that docker looks for beside a Dockerfile."""

    folder: Path
    dockerfile: Path

    @property
    def ignore_file(self) -> Path:
        """The `.dockerignore` of this build."""
        return self.dockerfile.with_name(f"{self.dockerfile.name}.dockerignore")


def write_context(
    description: Description, target: Target, wheel: Path | None, output: Path
) -> Context:
    """Write Dockerfile, ignore file and wheel into `output`.

    Args:
        description: of the model's folder.
        target: what to build of it.
        wheel: the SDK's; None packs the code that runs now.
        output: an existing folder: `.runway-serve` of the model's folder, or a temporary one for a dry run.

    Raises:
        ProjectError: there is no wheel to write.
    """
    folder = description.path.parent
    for old in output.glob("*.whl"):
        old.unlink()  # of another version
    packed = _place_wheel(wheel, output)
    context = Context(folder, output / f"Dockerfile.{target.environment}")
    context.dockerfile.write_text(dockerfile(target, packed.name, folder), "utf8")
    context.ignore_file.write_text(ignore_text(description, target, packed.name), "utf8")
    return context


def ignore_text(description: Description, target: Target, wheel: str) -> str:
    """What stays out of the image: the author's own `.dockerignore`, `files.ignore`, and what no image needs."""
    own = description.path.with_name(".dockerignore")
    lines = own.read_text("utf8", errors="replace").splitlines() if own.is_file() else []
    lines += ALWAYS_IGNORED
    if not any(re.search(r"\bgit\b", step.command) for step in target.steps):
        lines.append(".git")  # a step may ask for submodules
    lines += [pattern.removeprefix("./") for pattern in description.ignore]
    # The server reads the file in the image, and the last line that fits counts.
    lines += [f"{OUTPUT_FOLDER}/*", f"!{OUTPUT_FOLDER}/{wheel}", f"!{FILE_NAME}"]
    return "\n".join(lines) + "\n"


def _place_wheel(wheel: Path | None, output: Path) -> Path:
    if wheel is None:
        try:
            return write_wheel(output)
        except NoWheelError as error:
            raise ProjectError(str(error)) from error
    if not wheel.is_file() or wheel.suffix != ".whl":
        raise ProjectError(f"--sdk-wheel {wheel}: no such wheel")
    return Path(shutil.copy(wheel, output))
