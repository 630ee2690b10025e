"""docker, podman and buildah: which of them can build here, and the command line each wants."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence

from runway_serve.project.context import Context
from runway_serve.project.folder import ProjectError

ENGINES = ("docker", "podman", "buildah")
ANSWER_S = 20.0  # a docker client without its daemon may take some seconds to say so


def find_engine(wanted: str | None) -> str:
    """The engine that was asked for, else the first that works.

    Raises:
        ProjectError: none does; the text says why for each.
    """
    reasons = []
    for name in [wanted] if wanted else ENGINES:
        reason = _why_not(name)
        if reason is None:
            return name
        reasons.append(f"{name}: {reason}")
    raise ProjectError(
        f"no engine can build the image ({'; '.join(reasons)}); --dry-run shows the Dockerfile"
    )


def build_command(engine: str, context: Context, tag: str, extra: Sequence[str]) -> list[str]:
    """The command line that builds the image; `extra` are options of the engine's own."""
    place = ["--file", str(context.dockerfile), "--tag", tag, *extra, str(context.folder)]
    if engine == "docker":  # finds the ignore file by its name
        return ["docker", "build", *place]
    # The other format of image has no place for HEALTHCHECK.
    return [engine, "build", "--format", "docker", "--ignorefile", str(context.ignore_file), *place]


def run_command(engine: str, tag: str, is_gpu: bool) -> str:
    """What to type to run the image."""
    if engine == "buildah":
        return f"buildah push {tag} docker-archive:{tag.partition(':')[0]}.tar, then load it where containers run"
    cards = (
        {"docker": " --gpus all", "podman": " --device nvidia.com/gpu=all"}[engine]
        if is_gpu
        else ""
    )
    return f"{engine} run --rm --init -p 127.0.0.1:9000:9000{cards} {tag}"


def _why_not(name: str) -> str | None:
    program = shutil.which(name)
    if program is None:
        return "not installed"
    if name != "docker":
        return None
    try:
        asked = subprocess.run(
            [program, "version", "--format", "{{.Server.Version}}"],
            capture_output=True,
            text=True,
            timeout=ANSWER_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"its daemon did not answer within {ANSWER_S:.0f} s"
    if asked.returncode == 0:
        return None
    lines = asked.stderr.strip().splitlines()
    return lines[-1] if lines else "its daemon does not answer"
