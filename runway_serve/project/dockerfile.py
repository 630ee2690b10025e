"""The Dockerfile of a `Target`, as text; docker, podman and buildah build it alike.

Layers go from what changes least to what changes most: system, framework, SDK and what it needs, requirement files with
the steps that need nothing else, the model's files, the other steps. The SDK comes once more at the end, should a step
have put an old one over it. Steps run as root in the model's folder; the server runs as a user of its own.
"""

from __future__ import annotations

import json
import re
import shlex
from itertools import pairwise
from pathlib import Path

from runway_serve.project.description import Step
from runway_serve.project.pins import installs
from runway_serve.project.releases import UBUNTU_PYTHON
from runway_serve.project.targets import Target

OUTPUT_FOLDER = (
    ".runway-serve"  # in the model's folder: what `build` writes, and the build context's wheel
)
USER_ID = 10001  # above the users of known base images; a number, so that Kubernetes sees that it is not root
MODEL_FOLDER = "/model"
SDK_FOLDER = "/opt/runway-serve"
# What steps of public models call, beside Python: compilers, downloads, archives.
SYSTEM_PACKAGES = ("build-essential", "ca-certificates", "curl", "git", "unzip", "wget")
# setuptools brings distutils, which Python has no longer from 3.12 on.
TOOLS = ("setuptools==80.9.0", "wheel==0.45.1")
# Rules of hadolint about the inside of steps, which stay as their authors wrote them.
STEP_RULES = (
    "DL3003,DL3008,DL3009,DL3013,DL3014,DL3015,DL3027,DL3042,DL3047,DL3059,DL4001,DL4006,"
    "SC2046,SC2086,SC2102,SC2164"
)


def dockerfile(target: Target, wheel: str, folder: Path) -> str:
    """The whole text.

    Args:
        target: resolved, without obstacles.
        wheel: name of the SDK's wheel in `OUTPUT_FOLDER`.
        folder: the model's; requirement files are looked at to see what a step reads.
    """
    early, files, late = _split_steps(target.steps, folder)
    blocks = [_head(target), *system_blocks(target), _framework(target), _sdk_first(wheel)]
    if early:
        blocks.append(
            "\n".join([*(_copy_one(name) for name in files), *(_step(step) for step in early)])
        )
    blocks.append(
        "# Folders keep the server's group, so that it may write into those that steps make.\n"
        "COPY --chown=runway:runway . .\n"
        f"RUN rm -r {OUTPUT_FOLDER} && find . -type d -exec chmod g+ws {{}} +"
    )
    if _needs_apt_lists(target.steps):
        blocks.append("RUN apt-get update")
    if late:
        blocks.append("\n".join(_step(step) for step in late))
    blocks += [_sdk_last(wheel), _ending()]
    return "\n\n".join(block for block in blocks if block) + "\n"


def base_dockerfile(target: Target) -> str:
    """The part that all models share, to be built once and named by `--base-image`."""
    return "\n\n".join([f"FROM {target.base_image}", *system_blocks(target)]) + "\n"


def system_blocks(target: Target) -> list[str]:
    """System packages, unless the base image is a given one; the user, the environment and the folder of the model."""
    python = f"python{target.python}" if target.python and target.is_gpu else "python3"
    blocks = ["ARG DEBIAN_FRONTEND=noninteractive"]
    if target.python:
        blocks.append(_apt(target))
    blocks.append(
        f"RUN (id runway || useradd --uid {USER_ID} --user-group --create-home --no-log-init runway) \\\n"
        f"    && {python} -m venv /opt/venv \\\n"
        f"    && install --directory --owner=runway --group=runway --mode=2775 {MODEL_FOLDER} \\\n"
        "    && chmod 2775 /home/runway"
    )
    blocks.append(
        "ENV PATH=/opt/venv/bin:$PATH \\\n"
        "    HOME=/home/runway \\\n"
        "    PIP_NO_CACHE_DIR=1 \\\n"
        "    PIP_DISABLE_PIP_VERSION_CHECK=1 \\\n"
        "    PYTHONUNBUFFERED=1\n"
        f"WORKDIR {MODEL_FOLDER}\n"
        f"RUN pip install --no-cache-dir {' '.join(TOOLS)}"
    )
    return blocks


def _head(target: Target) -> str:
    lines = [
        "# Written by `runway-serve build` from runway.yml; change that file rather than this one."
    ]
    if target.steps:
        lines.append(f"# hadolint global ignore={STEP_RULES}")
    return "\n".join([*lines, f"FROM {target.base_image}"])


def _apt(target: Target) -> str:
    packages = list(SYSTEM_PACKAGES)
    commands = ["apt-get update"]
    if target.is_gpu:
        own = UBUNTU_PYTHON[target.base_image.rpartition("ubuntu")[2]]
        if (
            target.python != own
        ):  # Ubuntu has one Python; others come from the archive that people use for them
            commands += [
                "apt-get install -y --no-install-recommends gpg-agent software-properties-common",
                "add-apt-repository -y ppa:deadsnakes/ppa",
            ]
        packages += [f"python{target.python}{part}" for part in ("", "-dev", "-venv")]
    commands.append(f"apt-get install -y --no-install-recommends {' '.join(sorted(packages))}")
    commands.append("rm -rf /var/lib/apt/lists/*")
    lines = " \\\n    && ".join(commands)
    # Debian keeps the newest build of a package only, so a pinned one would soon be gone.
    return f"# hadolint ignore=DL3008\nRUN {lines}"


def _framework(target: Target) -> str:
    if not target.framework:
        return ""
    words = " ".join(shlex.quote(word) for word in target.framework)
    # A layer of its own, as the one before it is the same for all models.
    return f"# hadolint ignore=DL3059\nRUN pip install --no-cache-dir {words}"


def _sdk_first(wheel: str) -> str:
    return f"COPY {OUTPUT_FOLDER}/{wheel} {SDK_FOLDER}/\nRUN pip install --no-cache-dir {SDK_FOLDER}/{wheel}"


def _sdk_last(wheel: str) -> str:
    path = f"{SDK_FOLDER}/{wheel}"
    return (
        "# Last, as a step may have put the old SDK over it, or replaced what it needs.\n"
        "RUN pip uninstall --yes runway-python \\\n"
        f"    && pip install --no-cache-dir --force-reinstall --no-deps {path} \\\n"
        f"    && pip install --no-cache-dir {path}"
    )


def _ending() -> str:
    return (
        "ENV RW_HOST=0.0.0.0 \\\n"
        "    RW_PORT=9000\n"
        "EXPOSE 9000\n"
        f"USER {USER_ID}\n"
        "HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \\\n"
        '    CMD ["python", "-m", "runway_serve.project.healthcheck"]\n'
        f'ENTRYPOINT ["runway-serve", "{MODEL_FOLDER}"]'
    )


def _step(step: Step) -> str:
    """A shell of its own that leaves what it writes to its group; as JSON where a Dockerfile would misread the text."""
    command = f"umask 0002; {step.command}"
    is_plain = "\n" not in command and "<<" not in command and not command.endswith("\\")
    return f"RUN {command if is_plain else json.dumps(['/bin/sh', '-c', command])}"


def _copy_one(name: str) -> str:
    folder = str(Path(name).parent)
    return f"COPY --chown=runway:runway {name} {'./' if folder == '.' else folder + '/'}"


def _split_steps(steps: tuple[Step, ...], folder: Path) -> tuple[list[Step], list[str], list[Step]]:
    """Steps that can run before the model's files are there, the files these need, and all other steps."""
    early: list[Step] = []
    files: list[str] = []
    for step in steps:
        needed = _files_of_pip(step, folder)
        if needed is None:
            break
        early.append(step)
        files += [name for name in needed if name not in files]
    return early, files, list(steps[len(early) :])


def _files_of_pip(step: Step, folder: Path) -> list[str] | None:
    """Requirement files that a plain `pip install` reads; None if it may read other files of the model."""
    words = step.command.split()
    if (
        not installs(step)
        or words[0] not in ("pip", "pip3")
        or re.search(r"[;&|<>$`]", step.command)
    ):
        return None
    names = [after for word, after in pairwise(words) if word in ("-r", "--requirement")]
    rest = [word for word in words[2:] if word not in names]
    if any(word.startswith(("-e", "-c", "--editable", "--constraint")) for word in rest):
        return None
    if any(_is_local(word, folder) for word in rest) or any(
        not _stands_alone(folder, name) for name in names
    ):
        return None
    return names


def _is_local(word: str, folder: Path) -> bool:
    return word.startswith(".") or (not word.startswith("-") and (folder / word).exists())


def _stands_alone(folder: Path, name: str) -> bool:
    """Whether a requirement file names packages only, no files beside it."""
    path = folder / name
    if not path.is_file() or re.search(r"[\s'\"*]", name) or ".." in Path(name).parts:
        return False
    lines = [line.strip() for line in path.read_text("utf8", errors="replace").splitlines()]
    return not any(
        line.startswith(("-e", "-r", "-c", "--editable", "--requirement", "--constraint", ".", "/"))
        or "file:" in line
        or (line and (folder / line).is_dir())
        for line in lines
    )


def _needs_apt_lists(steps: tuple[Step, ...]) -> bool:
    """Whether a step installs system packages and none fetches the lists, which base images come without."""
    text = "\n".join(step.command for step in steps)
    uses_apt = re.search(r"\bapt(-get)?\s+(-\S+\s+)*install\b", text)
    return bool(uses_apt) and not re.search(r"\bapt(-get)?\s+(-\S+\s+)*update\b", text)
