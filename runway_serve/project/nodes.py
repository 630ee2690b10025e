"""YAML with line numbers: typed reads of a mapping's values, which note what is wrong and where.

The values stay YAML nodes until they are asked for, since a node still has its line and the text as written: `3.10` is
not yet the number 3.1.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

KIND_OF_TAG = {"str": "text", "bool": "true or false", "int": "a number", "float": "a number"}


@dataclass(frozen=True)
class Remark:
    """An error, or something worth knowing, about a line of a file."""

    path: Path
    line: int | None  # from 1; None: the file as a whole
    text: str
    is_error: bool = False

    def __str__(self) -> str:
        place = str(self.path) if self.line is None else f"{self.path}:{self.line}"
        return f"{place}: {'error' if self.is_error else 'warning'}: {self.text}"


@dataclass
class Remarks:
    """What was noticed in one file so far."""

    path: Path
    found: list[Remark] = field(default_factory=list)

    def error(self, line: int | None, text: str) -> None:
        """Note why the file cannot be used."""
        self.found.append(Remark(self.path, line, text, is_error=True))

    def warn(self, line: int | None, text: str) -> None:
        """Note something that does not stand in the way."""
        self.found.append(Remark(self.path, line, text))


@dataclass(frozen=True)
class Value:
    """A value of a mapping: its full name, such as `spec.gpu`, its line and its node."""

    name: str
    node: Any  # a yaml.Node; its `id`, which we go by, is missing in the types

    @property
    def line(self) -> int:
        """Line of the value, from 1."""
        return int(self.node.start_mark.line) + 1

    @property
    def kind(self) -> str:
        """What it is, in words."""
        if self.node.id != "scalar":
            return {"mapping": "a mapping of keys", "sequence": "a list"}[self.node.id]
        tag = self.node.tag.rsplit(":", 1)[-1]
        if tag == "null":
            return "nothing"
        return f"{KIND_OF_TAG.get(tag, tag)}: {self.node.value}"

    @property
    def is_empty(self) -> bool:
        """Nothing, null, or the text None, which people write for it."""
        return self.node.id == "scalar" and (
            self.node.tag.endswith(":null") or self.node.value.strip() in ("", "None")
        )


def text_of(value: Value, remarks: Remarks, allowed: str) -> str | None:
    """The text of a scalar as it is written, numbers too; None, and an error, if it is something else."""
    if value.node.id != "scalar" or value.node.tag.endswith((":bool", ":null")):
        remarks.error(value.line, f"{value.name} must be {allowed}, not {value.kind}")
        return None
    return str(value.node.value).strip()


def flag_of(value: Value, remarks: Remarks) -> bool | None:
    """A boolean; None, and an error, if it is something else."""
    if value.node.id != "scalar" or not value.node.tag.endswith(":bool"):
        remarks.error(value.line, f"{value.name} must be true or false, not {value.kind}")
        return None
    return str(value.node.value).lower() in ("true", "yes", "on")


def mapping_of(
    value: Value, remarks: Remarks, known: Collection[str], allowed: str
) -> dict[str, Value]:
    """The values by key; unknown keys are left out with a warning. Empty, and an error, if it is no mapping."""
    if value.node.id != "mapping":
        remarks.error(value.line, f"{value.name} must be {allowed}, not {value.kind}")
        return {}
    found: dict[str, Value] = {}
    for key_node, node in value.node.value:
        key = str(key_node.value)
        name = f"{value.name}.{key}" if value.name else key
        line = int(key_node.start_mark.line) + 1
        if key not in known:
            remarks.warn(
                line, f"{name} is not a key of runway.yml and is ignored{_nearest(key, known)}"
            )
            continue
        if key in found:
            remarks.error(
                line, f"{name} stands in line {found[key].line} already; keep one of them"
            )
        found[key] = Value(name, node)
    return found


def list_of(value: Value, remarks: Remarks, allowed: str) -> list[Value]:
    """The items, named by number from 1; empty, and an error, if it is no list."""
    if value.is_empty:
        return []
    if value.node.id != "sequence":
        remarks.error(value.line, f"{value.name} must be {allowed}, not {value.kind}")
        return []
    return [
        Value(f"{value.name} item {number}", node)
        for number, node in enumerate(value.node.value, start=1)
    ]


def _nearest(key: str, known: Collection[str]) -> str:
    near = get_close_matches(key, sorted(known), n=1, cutoff=0.75)
    return f"; did you mean {near[0]}?" if near else ""
