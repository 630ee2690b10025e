"""What all calls of a command share: the model, and the globals of the script's own modules; sees changes to it.

A call that keeps something there between two runs of a network would find what another call put there.
"""

from __future__ import annotations

import os
import random
import sys
import sysconfig
import types
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

OBJECTS_MAX = 3000  # shared objects that are looked at; a stamp of each costs about a microsecond
DEPTH_MAX = 6
ARRAY_BYTES_MAX = (
    1 << 16
)  # larger arrays are told apart by identity: reading them each time would cost too much
ITEMS_MAX = 100  # of a sequence
SCALARS = (bool, int, float, complex, str, bytes)
LOCKS = (type(__import__("threading").Lock()), type(__import__("threading").RLock()))
ABSENT = object()
LIBRARIES = tuple(
    os.path.realpath(sysconfig.get_paths()[name]) + os.sep
    for name in ("stdlib", "purelib", "platlib")
)
UNWATCHED = (
    "runway",
    "runway_serve",
    "logging",
    "keras",
    "onnxruntime",
    "tensorflow",
)  # objects of these packages are no state of a script: the check of a network looks at its own
NO_STATE = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.MethodType)


class ScriptModules:
    """The namespaces of a script and of the modules beside it; looks again when modules were imported."""

    def __init__(self) -> None:
        self._known = 0
        self._found: list[dict[str, Any]] = []

    def namespaces(self) -> list[dict[str, Any]]:
        """Each is the `__dict__` of a module."""
        if len(sys.modules) != self._known:
            self._known = len(sys.modules)
            self._found = list(_beside_main())
        return self._found


def _beside_main() -> Iterator[dict[str, Any]]:
    main = vars(sys.modules["__main__"])
    yield main
    script = main.get("__file__")
    if not script:
        return
    folder = os.path.dirname(os.path.realpath(script))
    for name, module in list(sys.modules.items()):
        path = getattr(module, "__file__", None)
        if not isinstance(path, str) or vars(module) is main or name.split(".")[0] in UNWATCHED:
            continue
        path = os.path.realpath(path)
        if path.startswith(folder + os.sep) and not path.startswith(LIBRARIES):
            yield vars(module)


class Stamp:
    """The shared objects' contents at one moment, held so that no address is used twice meanwhile."""

    __slots__ = ("contents",)

    def __init__(self, contents: list[Any]) -> None:
        self.contents = contents


class Watch:
    """Finds what calls share, once; stamps it again and again.

    Args:
        function: the command's.
        model: what the setup made.
        namespaces: globals of the script's modules.
    """

    def __init__(
        self, function: Callable[..., Any], model: Any, namespaces: list[dict[str, Any]]
    ) -> None:
        self._readers: list[tuple[str, Callable[[], Any]]] = []
        self._locks: list[Any] = []
        self._seen: dict[int, Any] = {}
        roots: list[tuple[str, Any, int]] = [("the model", model, 0)]
        own = getattr(function, "__globals__", {})
        roots += [("", namespace, 0) for namespace in [own, *namespaces]]
        for cell, name in zip(
            getattr(function, "__closure__", None) or (),
            getattr(getattr(function, "__code__", None), "co_freevars", ()),
            strict=False,
        ):
            roots.append((name, _cell_value(cell), 0))
        queue = deque(roots)
        while queue and len(self._seen) < OBJECTS_MAX:
            path, value, depth = queue.popleft()
            if id(value) not in self._seen and not isinstance(value, (*SCALARS, types.NoneType)):
                self._seen[id(value)] = value
                queue.extend(self._look(path, value, depth))

    def holds_lock(self) -> bool:
        """Whether a shared lock is held now: another lane that wanted it would wait for ever."""
        return any(
            lock.locked() if hasattr(lock, "locked") else lock._is_owned() for lock in self._locks
        )

    def stamp(self) -> Stamp:
        """What the shared objects hold now."""
        return Stamp([read() for _, read in self._readers])

    def change(self, before: Stamp) -> tuple[str, bool] | None:
        """Name of the first thing that is not as it was, and whether it is only new; None without a change."""
        added = None
        for (path, read), old in zip(self._readers, before.contents, strict=True):
            new = read()
            if type(old) is not dict:
                if old != new:
                    return path, False
                continue
            for name, value in new.items():
                known = old.get(name, ABSENT)
                if known is ABSENT:
                    added = f"{path}{name!s:.60}"
                elif known is not value and not _is_equal_scalar(known, value):
                    return f"{path}{name!s:.60}", False
            if any(name not in new for name in old):
                return f"{path} (something was removed)", False
        return None if added is None else (added, True)

    def _look(self, path: str, value: Any, depth: int) -> Iterator[tuple[str, Any, int]]:
        """Note how to read a shared object, and give what lies in it."""
        if isinstance(value, LOCKS):
            self._locks.append(value)
            return
        read = _reader(value)
        if read is not None:
            self._readers.append((path, read))
            return
        prefix = f"{path}." if path else ""
        if isinstance(value, (list, tuple, deque, set)):
            if not isinstance(value, tuple):
                self._readers.append((path, lambda: _items(value)))
            parts = [(f"{path}[{at}]", part) for at, part in enumerate(list(value)[:ITEMS_MAX])]
        elif isinstance(value, dict):
            self._readers.append((prefix, lambda: dict(value)))
            is_module = "__builtins__" in value
            parts = [
                (f"{prefix}{name!s:.60}", part)
                for name, part in list(value.items())
                if not (is_module and str(name).startswith("__"))
            ]
        elif isinstance(value, type):
            if _is_scripts_own(value):
                self._readers.append((prefix, lambda: dict(vars(value))))
            return
        elif isinstance(value, NO_STATE) or type(value).__module__.split(".")[0] in UNWATCHED:
            return
        else:
            parts = self._attributes(prefix, value)
        if depth < DEPTH_MAX:
            yield from ((name, part, depth + 1) for name, part in parts)

    def _attributes(self, prefix: str, value: Any) -> list[tuple[str, Any]]:
        """Those of an object. The check of a network sees those of a framework's own layers."""
        attributes = getattr(value, "__dict__", None)
        if type(attributes) is not dict:
            return []
        layers = attributes.get("_modules")
        parts = attributes
        if isinstance(layers, dict):
            open_ones = {k: v for k, v in attributes.items() if not k.startswith("_")}
            parts = {**layers, **open_ones}
        if not isinstance(layers, dict) or not type(value).__module__.startswith("torch."):
            self._readers.append((prefix, lambda: dict(attributes)))
        return [(f"{prefix}{name}", part) for name, part in list(parts.items())]


def _reader(value: Any) -> Callable[[], Any] | None:
    """Reads what an array, a tensor or a generator holds, as something that can be compared; None for others."""
    if isinstance(value, np.ndarray):
        if value.dtype == object or value.nbytes > ARRAY_BYTES_MAX:
            return lambda: None
        return lambda: zlib.crc32(np.ascontiguousarray(value).data)
    if _is_tensor(value):
        return (
            (lambda: None) if value.is_inference() else lambda: (value.data_ptr(), value._version)
        )
    return (lambda: _state_of(value)) if _state_of(value) is not None else None


def _items(values: Any) -> dict[Any, Any]:
    """A list as a dict, so that what was exchanged can be named; one that grew is changed."""
    return {"(its length)": len(values), **dict(enumerate(values))}


def _is_equal_scalar(one: Any, other: Any) -> bool:
    return type(one) is type(other) and isinstance(one, SCALARS) and bool(one == other)


def _is_tensor(value: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def _state_of(value: Any) -> Any:
    """The state of a random generator of the script's own, None if it is none."""
    if isinstance(value, np.random.RandomState):
        state = value.get_state()
        return bytes(state[1]), state[2]  # type: ignore[index]
    if isinstance(value, np.random.Generator):
        return repr(value.bit_generator.state)
    if isinstance(value, random.Random):
        return hash(value.getstate())
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Generator):
        return value.get_state().numpy().tobytes()
    return None


def _is_scripts_own(kind: type) -> bool:
    module = sys.modules.get(kind.__module__)
    path = getattr(module, "__file__", None)
    return isinstance(path, str) and not os.path.realpath(path).startswith(LIBRARIES)


def _cell_value(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return None
