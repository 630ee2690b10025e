"""Replaces functions of other modules by ones that look for a lane, also where a script imported them by name."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable
from typing import Any

from runway_serve.batching.coalesce.adapter import Adapter
from runway_serve.batching.coalesce.lanes import here

MARK = "_runway_serve_original"


def meet_calls(owner: type, name: str, adapter: Adapter) -> None:
    """Have lanes that call the method `owner.name` do so through their host; once."""
    original = getattr(owner, name)
    if hasattr(original, MARK):
        return

    @functools.wraps(original)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        lane = here.lane
        if lane is None or lane.is_inside:
            return original(self, *args, **kwargs)
        return lane.host.meet(adapter, self, original, args, kwargs)

    setattr(call, MARK, original)
    setattr(owner, name, call)


def tell_before(
    module: Any, name: str, told: Callable[..., None], scripts: Iterable[dict[str, Any]] = ()
) -> None:
    """Have `told` called with the arguments of `module.name(...)` before it runs in a lane; once.

    Args:
        module: where the function is looked up.
        name: its name there.
        told: must not raise.
        scripts: namespaces in which the function may have been imported by name.
    """
    original = getattr(module, name, None)
    if original is None:
        return
    if hasattr(original, MARK):
        call, original = original, getattr(original, MARK)
    else:

        def call(*args: Any, **kwargs: Any) -> Any:
            if here.lane is not None:
                told(*args, **kwargs)
            return original(*args, **kwargs)

        functools.update_wrapper(call, original, updated=())
        setattr(call, MARK, original)
        setattr(module, name, call)
    for namespace in scripts:
        for key, value in list(namespace.items()):
            if value is original:  # not ==, which arrays and others answer in their own way
                namespace[key] = call


def loaded(name: str) -> Any | None:
    """A module, if something imported it already."""
    return sys.modules.get(name)
