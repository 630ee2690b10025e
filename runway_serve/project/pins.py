"""Pinned packages in build steps and requirement files that have no build for a Python of today."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from runway_serve.project.description import Step
from runway_serve.project.releases import is_too_old, known_packages, replacement

_PIN = re.compile(
    rf"(?<![\w.=/-])({'|'.join(known_packages())})(\[[\w,-]*\])?==([0-9][\w.+]*)", re.IGNORECASE
)
_PIP_INSTALL = re.compile(r"\bpip[\d.]*\s+install\b")
_REQUIREMENTS = re.compile(r"(?:-r|--requirement)[\s=]*([^\s;&|]+)")


@dataclass(frozen=True)
class OldPin:
    """A pin that pip cannot satisfy: the text as written, and what can take its place."""

    text: str
    instead: str


def old_pins(text: str, python: str) -> list[OldPin]:
    """The pins in a line that have no build for that Python."""
    return [
        OldPin(match[0], replacement(match[1]))
        for match in _PIN.finditer(text)
        if is_too_old(match[1], match[3], python)
    ]


def installs(step: Step) -> bool:
    """Whether the step calls `pip install`."""
    return bool(_PIP_INSTALL.search(step.command))


def renewed(command: str, pins: list[OldPin]) -> str:
    """The command with each pin replaced."""
    for pin in pins:
        command = command.replace(pin.text, pin.instead)
    return command


def requirement_files(step: Step, folder: Path) -> list[Path]:
    """The files that the step's `pip install -r` reads, as far as they are in the folder."""
    if not installs(step):
        return []
    paths = [folder / name.strip("'\"") for name in _REQUIREMENTS.findall(step.command)]
    return [path for path in paths if path.is_file()]


def old_pins_of_file(path: Path, python: str) -> Iterator[tuple[int, OldPin]]:
    """Line number and pin of each requirement in the file that has no build for that Python."""
    text = path.read_text("utf8", errors="replace")
    for number, line in enumerate(text.splitlines(), start=1):
        for pin in old_pins(line.split("#")[0], python):
            yield number, pin
