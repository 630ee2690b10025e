"""Images for tests: buildah with a storage of its own, and a base image of Debian with every wheel the SDK needs.

Debian's tree and the wheels are kept in `.cache/` of the checkout, as they take minutes to make; images are not.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from runway_serve.project.dockerfile import TOOLS
from runway_serve.project.sdk_wheel import write_wheel

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "image"
SUITE, PYTHON = "bookworm", "3.11"
BASE = "localhost/debian-with-wheels"


@dataclass(frozen=True)
class Storage:
    """A folder that holds images and containers; gone with the folder."""

    folder: Path

    def __post_init__(self) -> None:
        (self.folder / "storage.conf").write_text(
            "[storage]\n"
            'driver = "vfs"\n'
            f'graphroot = "{self.folder / "images"}"\n'
            f'runroot = "{self.folder / "run"}"\n'
        )

    def environ(self) -> dict[str, str]:
        """Variables that make buildah use it, without namespaces that a container of CI may lack."""
        return {
            **os.environ,
            "CONTAINERS_STORAGE_CONF": str(self.folder / "storage.conf"),
            "BUILDAH_ISOLATION": "chroot",
        }

    def buildah(self, *words: str | Path) -> str:
        """Standard output of a buildah command that must succeed, without the last newline."""
        return succeed("buildah", *words, env=self.environ())

    def make_base(self) -> None:
        """The image that tests build on: no step of theirs needs a network."""
        container = self.buildah("from", "scratch")
        self.buildah("add", "--quiet", container, debian())
        self.buildah("add", "--quiet", container, wheels(), "/wheels")
        offline = ["--env", "PIP_NO_INDEX=1", "--env", "PIP_FIND_LINKS=/wheels"]
        self.buildah("config", *offline, container)
        self.buildah("commit", "--quiet", "--rm", container, BASE)

    def configuration(self, image: str) -> dict[str, object]:
        """What the image says of user, ports, entrypoint, health check."""
        found: dict[str, object] = json.loads(self.buildah("inspect", "--type", "image", image))
        return dict(found["Docker"]["config"])  # type: ignore[index]


def succeed(*words: str | Path, env: Mapping[str, str] | None = None) -> str:
    command = [str(word) for word in words]
    ended = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, (
        f"{' '.join(command)}\n{ended.stdout[-4000:]}{ended.stderr[-4000:]}"
    )
    return ended.stdout.strip()


def debian() -> Path:
    """A tar archive of a small Debian with Python."""
    archive = CACHE / f"{SUITE}.tar"
    if not archive.is_file():
        CACHE.mkdir(parents=True, exist_ok=True)
        root = CACHE / "root"
        shutil.rmtree(root, ignore_errors=True)
        succeed("debootstrap", "--variant=minbase", "--include=python3,python3-venv", SUITE, root)
        draft = archive.with_suffix(".new")
        succeed(
            "tar",
            "--create",
            "--file",
            draft,
            "--directory",
            root,
            "--exclude=./proc/*",
            "--exclude=./sys/*",
            ".",
        )
        draft.replace(archive)
        shutil.rmtree(root)
    return archive


def wheels() -> Path:
    """A folder with what runway-serve needs and the tools of an image, for the Python of that Debian."""
    folder = CACHE / "wheels"
    marker = folder.with_suffix(".complete")
    folder.mkdir(parents=True, exist_ok=True)
    wheel = write_wheel(folder)
    wanted = "\n".join([*TOOLS, *requirements(wheel)])
    if not marker.is_file() or marker.read_text() != wanted:
        kind = ["--python-version", PYTHON, "--only-binary=:all:", "--dest", folder]
        succeed(sys.executable, "-m", "pip", "download", "--quiet", *kind, wheel, *TOOLS)
        marker.write_text(wanted)
    wheel.unlink()  # an image must get it from its build context
    return folder


def requirements(wheel: Path) -> list[str]:
    """What a wheel says that it needs."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        lines = archive.read(name).decode().splitlines()
    return sorted(line for line in lines if line.startswith("Requires-Dist:"))
