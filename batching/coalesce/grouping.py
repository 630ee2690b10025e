"""Which calls of networks belong together: the same network, the same structure, equal shapes and equal constants."""

from __future__ import annotations

import enum
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from runway_serve.batching.coalesce.trees import Node, flatten, rebuild

Layout = tuple[
    int | None, ...
]  # the dimension along which each leaf is stacked; None: the same for all items
CONSTANTS = (type(None), bool, int, float, complex, str, bytes, slice, range, type(Ellipsis))


class Tensors(Protocol):
    """What grouping needs to know of a framework's tensors."""

    def is_tensor(self, leaf: Any) -> bool:
        """Whether the leaf is a tensor that can be stacked."""

    def describe(self, tensor: Any) -> Hashable:
        """Everything but the values that must be equal: shape, type, device."""

    def value(self, tensor: Any) -> Hashable:
        """Something that is equal for tensors of equal values only, without waiting for a device."""

    def is_constant(self, leaf: Any) -> bool:
        """Whether the leaf is one of the framework's own constants, such as a dtype."""


class UnstackableError(Exception):
    """The arguments of a call cannot be joined with those of another; the text says which."""


@dataclass(slots=True, eq=False)
class NetworkCall:
    """A network's call: `key` is equal for calls that may be run as one.

    `run` calls the network with arguments; `leaves` and `shape` are its own arguments taken apart.
    """

    network: Any
    run: Callable[..., Any]
    leaves: list[Any]
    shape: Node | None
    key: Hashable

    def alone(self) -> Any:
        """Run it as the script asked for."""
        return self.with_leaves(self.leaves)

    def with_leaves(self, leaves: Sequence[Any]) -> Any:
        """Run the network with other leaves in the same places."""
        args, kwargs = rebuild(self.shape, leaves)
        return self.run(*args, **kwargs)


def network_call(
    tensors: Tensors,
    network: Any,
    run: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    mode: Hashable,
) -> NetworkCall:
    """The call, taken apart.

    Args:
        tensors: the framework's tensors.
        network: what is called; calls of different networks are never joined.
        run: calls it.
        args: what it is called with.
        kwargs: the same by name.
        mode: what else must be equal, as the framework's modes of evaluation.

    Raises:
        UnstackableError: an argument is neither a tensor nor a constant, or there is no tensor.
    """
    leaves, shape = flatten((args, kwargs))
    rows, width = _extents(tensors, leaves)
    described = tuple([_describe(tensors, leaf, rows, width) for leaf in leaves])
    return NetworkCall(network, run, leaves, shape, (id(network), shape, described, mode))


def layouts(tensors: Tensors, leaves: Sequence[Any]) -> list[Layout]:
    """The ways in which calls like this one may be stacked, the most usual first.

    The first dimension for all; the second for further inputs of three or more dimensions, as recurrent states have
    it; the second for all that have three.
    """
    rows, width = _extents(tensors, leaves)
    shapes = [tuple(leaf.shape) if tensors.is_tensor(leaf) else () for leaf in leaves]
    first = next(index for index, shape in enumerate(shapes) if shape)

    def usual(index: int, shape: tuple[int, ...]) -> int | None:
        if shape and shape[0] == rows:
            return 0
        return 1 if len(shape) > 2 and shape[1] == rows else None

    def states(index: int, shape: tuple[int, ...]) -> int | None:
        return 1 if index != first and len(shape) > 2 and shape[1] == rows else usual(index, shape)

    def second(index: int, shape: tuple[int, ...]) -> int | None:
        if len(shape) > 2 and shape[1] == width:
            return 1
        return 0 if shape and shape[0] == width else None

    found = []
    for rule in (usual, states, second):
        layout = tuple(rule(index, shape) for index, shape in enumerate(shapes))
        together = zip(shapes, layout, strict=True)
        if all(at is not None or _is_shared(shape, rows, width) for shape, at in together):
            found.append(layout)
    return list(dict.fromkeys(found))


def _extents(tensors: Tensors, leaves: Sequence[Any]) -> tuple[int, int]:
    """The first two dimensions of the first tensor that has one; one of them counts the items of a call."""
    for leaf in leaves:
        if tensors.is_tensor(leaf) and len(leaf.shape) > 0:
            return int(leaf.shape[0]), int(leaf.shape[1]) if len(leaf.shape) > 2 else -1
    raise UnstackableError("it is called without a tensor")


def _is_shared(shape: tuple[int, ...], rows: int, width: int) -> bool:
    """Whether no dimension of a tensor counts items, so that it has to be the same one for all."""
    if not shape or shape[0] == rows:
        return not shape
    return len(shape) < 3 or shape[1] not in (rows, width)


def _describe(tensors: Tensors, leaf: Any, rows: int, width: int) -> Hashable:
    if tensors.is_tensor(leaf):
        described = tensors.describe(leaf)
        if _is_shared(tuple(leaf.shape), rows, width):
            return described, tensors.value(leaf)
        return described
    if isinstance(leaf, (*CONSTANTS, enum.Enum)) or tensors.is_constant(leaf):
        return type(leaf), repr(leaf) if isinstance(leaf, (slice, float)) else leaf
    raise UnstackableError(f"it is called with a {type(leaf).__module__}.{type(leaf).__qualname__}")
