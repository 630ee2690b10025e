"""Turns what a model returns (numpy, tensors, tuples) into plain Python or JSON text.

Used by the data types in the process that runs the model. Frameworks are met by duck typing; none is imported.
"""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import orjson

from runway.compat import strict_sdk

WRITTEN_AS_LIST = (np.dtype(np.float64), np.dtype(np.int64))
ORJSON_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS


def to_json(value: Any) -> bytes:
    """JSON text of a value, UTF-8; NaN and infinity become null (`strict_sdk`: are written bare).

    Raises:
        TypeError, ValueError, RecursionError: the value has no JSON form.
    """
    strict = strict_sdk()
    if not strict:
        try:
            return orjson.dumps(value, default=_orjson_default, option=ORJSON_OPTIONS)
        except TypeError:
            pass  # integers over 64 bits, lone surrogates and deep nesting have a JSON form all the same
    plain = to_plain(value, null_non_finite=not strict)
    try:
        return json.dumps(plain, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return json.dumps(plain).encode()  # a lone surrogate can only be written as an escape


def to_plain(value: Any, null_non_finite: bool = False) -> Any:
    """The same value in None, bool, int, float, str, list and dict with text keys only.

    Raises:
        TypeError: something in it has no such form.
    """
    if isinstance(value, (list, tuple)):
        return [to_plain(item, null_non_finite) for item in value]
    if isinstance(value, dict):
        return {_key(key): to_plain(item, null_non_finite) for key, item in value.items()}
    if isinstance(value, np.generic):
        value = float(value) if isinstance(value, np.longdouble) else value.item()
    scalar, is_scalar = _plain_scalar(value)
    if is_scalar:
        lost = null_non_finite and isinstance(scalar, float) and not math.isfinite(scalar)
        return None if lost else scalar
    array = as_array(value)
    if array is None:
        raise TypeError(f"{type(value).__name__} has no JSON form")
    if array.dtype.kind in "biuf" and not null_non_finite:
        return array.tolist()
    return to_plain(array.tolist(), null_non_finite)


def _plain_scalar(value: Any) -> tuple[Any, bool]:
    """The value freed of its subclass, and whether it is a scalar of JSON at all."""
    if value is None or isinstance(value, bool):
        return value, True
    for kind in (float, int, str):
        if isinstance(value, kind):
            return kind(value), True
    return value, False


def as_array(value: Any) -> np.ndarray[Any, Any] | None:
    """The numpy form of an array or a tensor (torch, TensorFlow, JAX), fetched from its device; None for others."""
    if isinstance(value, np.ndarray):
        return value
    if callable(getattr(value, "detach", None)) and callable(getattr(value, "cpu", None)):
        tensor = value.detach().cpu()
        try:
            return np.asarray(tensor.numpy())
        except TypeError:
            return np.asarray(tensor.float().numpy())  # bfloat16 has no numpy type
    if hasattr(value, "shape") and hasattr(value, "dtype") and not isinstance(value, np.generic):
        return np.asarray(value.numpy() if callable(getattr(value, "numpy", None)) else value)
    return None


def is_written_as_list(array: np.ndarray[Any, Any]) -> bool:
    """Whether orjson writes an array exactly as the list of its numbers, which takes twice as long to write."""
    is_plain = array.dtype in WRITTEN_AS_LIST and array.ndim and array.flags.c_contiguous
    return bool(is_plain) and not strict_sdk()  # which writes NaN bare, and looks for it in lists


def _orjson_default(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return to_plain(value)
    array = as_array(value)
    if array is None:
        raise TypeError(f"{type(value).__name__} has no JSON form")
    return array


def _key(key: Any) -> str:
    """Text of a mapping key, as the json module writes it."""
    if isinstance(key, str):
        return str(key)
    plain = to_plain(key)
    if plain is None or isinstance(plain, (bool, int, float)):
        return json.dumps(plain)
    raise TypeError(f"keys must be text or numbers, not {type(key).__name__}")
