"""The file behind `--warmup FILE`: requests as JSON. Read by the command line, which checks it, and by each worker."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

AUTO = "auto"


class WarmUpFileError(Exception):
    """The file cannot be read, or says something else than requests; the text tells where and what."""


@dataclass(frozen=True)
class WarmUpRequest:
    """One request of the file, and where in it: `request 3`."""

    place: str
    command: str
    inputs: Mapping[str, Any]


def read_requests(path: Path) -> list[WarmUpRequest]:
    """The requests in their order.

    The file is a JSON list of `{"command": ..., "inputs": {...}}`, or the same as JSON lines, or one object
    `{command: [inputs, ...]}`.

    Raises:
        WarmUpFileError: it is none of these.
    """
    try:
        text = path.read_text("utf8")
    except (OSError, UnicodeDecodeError) as error:
        raise WarmUpFileError(f"{path} cannot be read: {error}") from error
    found = [_request(path, index, item) for index, item in enumerate(_items(path, text), 1)]
    if not found:
        raise WarmUpFileError(f"{path} holds no request")
    return found


def _items(path: Path, text: str) -> list[Any]:
    try:
        content = json.loads(text)
    except ValueError:
        return _lines(path, text)
    if isinstance(content, list):
        return content
    if not isinstance(content, dict):
        raise WarmUpFileError(f"{path} must hold a list of requests or an object of commands")
    if isinstance(content.get("command"), str):
        return [content]  # one JSON line
    for command, inputs in content.items():
        if not isinstance(inputs, list):
            raise WarmUpFileError(f"{path}: {command} must be given a list of inputs")
    return [
        {"command": command, "inputs": inputs}
        for command, several in content.items()
        for inputs in several
    ]


def _lines(path: Path, text: str) -> list[Any]:
    items = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                items.append(json.loads(line))
            except ValueError as error:
                raise WarmUpFileError(
                    f"{path} is neither JSON nor JSON lines: line {number}: {error}"
                ) from error
    return items


def _request(path: Path, index: int, item: Any) -> WarmUpRequest:
    if (
        not isinstance(item, dict)
        or not isinstance(item.get("command"), str)
        or not isinstance(item.get("inputs"), dict)
    ):
        raise WarmUpFileError(
            f'{path}: request {index} must be an object with "command", a name, and "inputs", an object'
        )
    return WarmUpRequest(f"request {index}", item["command"], item["inputs"])
