"""Nested values as leaves and a shape: what networks are given and give back, in whatever containers.

Dicts, lists, tuples, named tuples, dataclasses and dict-like results that are dataclasses (as text models return) are
containers; everything else is a leaf.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Node:
    """A container without its leaves: its type, the names of its parts, and the parts, None for a leaf."""

    kind: type
    keys: tuple[Hashable, ...]
    parts: tuple[Node | None, ...]


LEAF: Node | None = None


def flatten(value: Any) -> tuple[list[Any], Node | None]:
    """Leaves of `value` in order, and its shape; shapes of equal structure are equal."""
    leaves: list[Any] = []
    return leaves, _collect(value, leaves)


def rebuild(shape: Node | None, leaves: Sequence[Any]) -> Any:
    """The value of that shape with these leaves, in new containers."""
    return _build(shape, iter(leaves))


def _collect(value: Any, leaves: list[Any]) -> Node | None:
    parts = _parts(value)
    if parts is None:
        leaves.append(value)
        return LEAF
    keys, values = parts
    return Node(type(value), keys, tuple([_collect(part, leaves) for part in values]))


def _parts(value: Any) -> tuple[tuple[Hashable, ...], Sequence[Any]] | None:
    """Names and values of a container's parts; None for a leaf."""
    kind = type(value)
    if kind is tuple or kind is list:
        return (), value
    if kind is dict or kind is OrderedDict:
        return tuple(value), list(value.values())
    if isinstance(value, tuple) and hasattr(kind, "_fields"):
        return kind._fields, value
    if is_dataclass(value) and not isinstance(value, type):
        names = tuple(field.name for field in fields(value))
        if isinstance(value, Mapping):  # what was left out is None, and no item
            return names, [getattr(value, name) for name in names]
        return (names, [getattr(value, name) for name in names]) if _is_open(value) else None
    return None


def _is_open(value: Any) -> bool:
    """Whether a dataclass is no more than its fields: a hidden attribute could not be split or joined."""
    names = {field.name for field in fields(value)}
    return set(getattr(value, "__dict__", names)) <= names


def _build(shape: Node | None, leaves: Iterator[Any]) -> Any:
    if shape is None:
        return next(leaves)
    values = [_build(part, leaves) for part in shape.parts]
    if issubclass(shape.kind, (list, tuple)):
        return _sequence(shape.kind, values)
    if shape.kind in (dict, OrderedDict):
        return shape.kind(zip(shape.keys, values, strict=True))
    named = {str(key): value for key, value in zip(shape.keys, values, strict=True)}
    if issubclass(shape.kind, Mapping):
        return shape.kind(**named)
    built = object.__new__(shape.kind)  # not __init__: it did its work when the original was made
    for name, value in named.items():
        object.__setattr__(built, name, value)
    return built


def _sequence(kind: type, values: list[Any]) -> Any:
    if kind is list:
        return values
    return tuple(values) if kind is tuple else kind(*values)
