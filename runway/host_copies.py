"""Outputs of a batch that lie on a GPU, brought to the host together: one wait a batch instead of one an output.

Called by `runway.execution` between a batched function and the data types. Frameworks are met where a script has
imported them already; the tensors of PyTorch are the only ones that are gathered, all others pass.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any

DEEPEST = 8  # of lists in dicts in lists: a value that holds itself has no end

Tensor = Any
Copy = Callable[[Tensor], Tensor]


def to_host(returned: list[Any], names: Set[str]) -> list[Any]:
    """The same values with the GPU tensors in them on the host; the same list where there are none to gather.

    Args:
        returned: what a batched function returned, one value a call; tensors may lie in dicts, lists and tuples.
        names: the outputs whose type takes a tensor from wherever it is. A script's own types may want theirs where
            it is.
    """
    torch: Any = sys.modules.get("torch")
    cuda = getattr(torch, "cuda", None)
    if cuda is None or not cuda.is_initialized() or not names:
        return returned
    copies = CudaCopies(torch)
    try:
        return gather(returned, names, copies.is_wanted, copies)
    except (
        RuntimeError
    ):  # no memory for the stack or its copy; the data types fetch them one by one
        return returned


class CudaCopies:
    """Copies of stacks into pinned memory, begun as they are called for and all there after `wait`."""

    def __init__(self, torch: Any) -> None:
        self._torch = torch
        self._streams: dict[Any, Any] = {}

    def is_wanted(self, value: object) -> bool:
        """Whether a value is a plain dense tensor on a GPU."""
        return (
            type(value) is self._torch.Tensor
            and value.is_cuda  # type: ignore[attr-defined]
            and value.layout is self._torch.strided  # type: ignore[attr-defined]
        )

    def stack(self, tensors: Sequence[Tensor]) -> Tensor:
        """(B, ...) of equal tensors, on their device."""
        detached = [tensor.detach() for tensor in tensors]
        return detached[0][None] if len(detached) == 1 else self._torch.stack(detached)

    def begin(self, stacked: Tensor) -> Tensor:
        """Where the copy of a stack will be after `wait`."""
        cuda, device = self._torch.cuda, stacked.device
        stream = self._streams.get(device)
        if stream is None:
            # A stream of its own, so that the next stack is made while this one travels.
            stream = self._streams[device] = cuda.Stream(device)
        stream.wait_stream(cuda.current_stream(device))
        host = self._torch.empty(stacked.shape, dtype=stacked.dtype, pin_memory=True)
        with cuda.stream(stream):
            host.copy_(stacked, non_blocking=True)
        stacked.record_stream(stream)
        return host

    def wait(self) -> None:
        """Until every copy is there."""
        for stream in self._streams.values():
            stream.synchronize()


def gather(
    returned: list[Any], names: Set[str], is_wanted: Callable[[object], bool], copies: Any
) -> list[Any]:
    """The same values with every wanted tensor replaced by its row in the copy of a stack.

    Args:
        returned: what a batched function returned, one value a call.
        names: the outputs to look into, where a value is a dict of outputs.
        is_wanted: which values to replace.
        copies: stacks tensors, begins copies and waits for them, as `CudaCopies` does.
    """
    tensors: dict[int, Tensor] = {}
    for one in returned:
        value = one[0] if _has_progress(one) else one
        for output in _chosen(value, names) if type(value) is dict else [value]:
            _find(output, is_wanted, tensors, DEEPEST)
    if len(tensors) < 2:
        return returned
    rows = _rows(list(tensors.values()), copies)
    return [
        (_with_rows(one[0], names, rows), one[1])
        if _has_progress(one)
        else _with_rows(one, names, rows)
        for one in returned
    ]


def _has_progress(one: Any) -> bool:
    return type(one) is tuple and len(one) == 2


def _chosen(value: Mapping[Any, Any], names: Set[str]) -> list[Any]:
    return [output for name, output in value.items() if name in names]


def _with_rows(value: Any, names: Set[str], rows: Mapping[int, Tensor]) -> Any:
    if type(value) is not dict:
        return _replaced(value, rows, DEEPEST)
    return {
        name: _replaced(output, rows, DEEPEST) if name in names else output
        for name, output in value.items()
    }


def _rows(tensors: Sequence[Tensor], copies: Any) -> dict[int, Tensor]:
    """The copy of each tensor, by the identity of the tensor."""
    alike: dict[Any, list[Tensor]] = {}
    for tensor in tensors:
        key = tuple(tensor.shape), tensor.dtype, tensor.device
        alike.setdefault(key, []).append(tensor)
    copied = [(group, copies.begin(copies.stack(group))) for group in alike.values()]
    copies.wait()
    return {
        id(tensor): row
        for group, stacked in copied
        for tensor, row in zip(group, stacked, strict=True)
    }


def _find(
    value: Any, is_wanted: Callable[[object], bool], found: dict[int, Tensor], depth: int
) -> None:
    if is_wanted(value):
        found[id(value)] = value
        return
    kind = type(value)
    if not depth or kind not in (dict, list, tuple) or not value:
        return
    items = value.values() if kind is dict else value
    if kind is not dict and isinstance(value[0], (int, float, str)):
        return  # a list of numbers may be long, and hardly ever holds a tensor further on
    for item in items:
        _find(item, is_wanted, found, depth - 1)


def _replaced(value: Any, rows: Mapping[int, Tensor], depth: int) -> Any:
    row = rows.get(id(value))
    if row is not None:
        return row
    kind = type(value)
    if not depth or kind not in (dict, list, tuple) or not value:
        return value
    if kind is dict:
        return {key: _replaced(item, rows, depth - 1) for key, item in value.items()}
    if isinstance(value[0], (int, float, str)):
        return value
    return kind(_replaced(item, rows, depth - 1) for item in value)
