"""Stack the inputs of a batch into one array, and split one array into the outputs of a batch.

For the authors of batched commands. torch and tensorflow are never imported here: where an item is one of
their tensors, the script has imported them already.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def stack(batch: Sequence[Any], key: str | None = None) -> Any:
    """One array with a new first dimension, or a list where the items do not fit together.

    Arrays, tensors and images fit when they are of one kind and shape, numbers always.

    Args:
        batch: input dicts of length B; without `key` the items themselves.
        key: the input to take from each dict.

    Returns:
        (B, ...) ndarray for arrays, images (as their pixels) and numbers; (B, ...) tensor for tensors of
        torch or tensorflow; else the list of the items, unchanged.

    Raises:
        KeyError: an input dict has no `key`.
    """
    items = list(batch) if key is None else [inputs[key] for inputs in batch]
    if not items:
        return items
    if all(_is_number(item) for item in items):
        return np.array(items)
    if all(isinstance(item, np.ndarray) for item in items):
        return np.stack(items) if _agree(items, "shape") else items
    if all(_is_image(item) for item in items):
        return (
            np.stack([np.asarray(item) for item in items])
            if _agree(items, "mode", "size")
            else items
        )
    tensor_stack = _tensor_stack(items)
    return tensor_stack(items) if tensor_stack and _agree(items, "shape") else items


def unstack(value: Any, n: int) -> list[Any]:
    """List of `n` items along the first dimension of an array or tensor, or of a sequence.

    Raises:
        ValueError: there are more or fewer than `n` items.
        TypeError: `value` has no items in order (a dict, a text, a number).
    """
    if isinstance(value, (Mapping, str, bytes)) or getattr(value, "shape", None) == ():
        raise TypeError(f"cannot split {type(value).__name__} into {n} items")
    try:
        items = list(value)
    except TypeError as error:
        raise TypeError(f"cannot split {type(value).__name__} into {n} items") from error
    if len(items) != n:
        raise ValueError(f"expected {n} items, got {len(items)}")
    return items


def _is_number(item: Any) -> bool:
    return isinstance(item, (int, float, complex, np.number, np.bool_))


def _is_image(item: Any) -> bool:
    return all(hasattr(item, name) for name in ("mode", "size", "getbands", "tobytes"))


def _agree(items: list[Any], *names: str) -> bool:
    return all(getattr(item, name) == getattr(items[0], name) for item in items for name in names)


def _tensor_stack(items: list[Any]) -> Any:
    """The function that stacks these tensors; None if they are not all tensors of one library."""
    torch: Any = sys.modules.get("torch")
    if torch is not None and all(isinstance(item, torch.Tensor) for item in items):
        return torch.stack
    tensorflow: Any = sys.modules.get("tensorflow")
    if tensorflow is not None and all(tensorflow.is_tensor(item) for item in items):
        return tensorflow.stack
    return None
