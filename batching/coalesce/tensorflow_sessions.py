"""Adapter for TensorFlow 1: `Session.run` of graphs whose placeholders take any number of items.

What is called is a pair of fetches and fed placeholders; it stands for a network. It never imports tensorflow.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from runway_serve.batching.coalesce.adapter import Generator, Part
from runway_serve.batching.coalesce.lanes import here
from runway_serve.batching.coalesce.numpy_tensors import NumpyTensors
from runway_serve.batching.coalesce.patches import MARK
from runway_serve.batching.coalesce.tensorflow_graphs import objection, stacks
from runway_serve.batching.coalesce.trees import flatten


class Pass:
    """What a session computes: fetches, of which feeds."""

    def __init__(self, fetches: Any, feeds: tuple[Any, ...]) -> None:
        self.fetches = fetches
        self.feeds = feeds
        self.leaves = flatten(fetches)[0]
        self.is_looked_at = False
        self.objection: str | None = None


class TensorflowSessions(NumpyTensors):
    """TensorFlow's sessions, as coalescing sees them."""

    framework = "tensorflow"

    def __init__(self) -> None:
        self._tensorflow: Any = None
        self._passes: WeakKeyDictionary[Any, dict[Hashable, Pass]] = WeakKeyDictionary()

    def attach(self, module: Any) -> None:
        """Meet the runs of all sessions."""
        self._tensorflow = module
        owner = module.compat.v1.Session.__mro__[1]  # both kinds of sessions have `run` from there
        original = owner.run
        if hasattr(original, MARK):
            return

        @functools.wraps(original)
        def run(
            session: Any, fetches: Any, feed_dict: Any = None, *args: Any, **kwargs: Any
        ) -> Any:
            lane = here.lane
            if lane is None or lane.is_inside or not feed_dict or args or kwargs:
                return original(session, fetches, feed_dict, *args, **kwargs)
            found = self._pass(session, fetches, tuple(feed_dict))
            if found is None:
                return lane.alone(lambda: original(session, fetches, feed_dict))
            values = tuple(_array(key, value) for key, value in feed_dict.items())
            return lane.host.meet(self, found, _runner(original, session), values, {})

        setattr(run, MARK, original)
        owner.run = run

    def parts(self) -> Sequence[Part]:
        """The graphs and sessions that `with` made the current ones."""
        return stacks()

    def generator(self) -> Generator | None:
        """Their state is spread over the kernels."""
        return None

    def seed_functions(self) -> list[tuple[Any, str]]:
        """Those of both versions."""
        tf = self._tensorflow
        return [(tf.random, "set_seed"), (tf.compat.v1, "set_random_seed")]

    def mode(self) -> Hashable | None:
        """A session runs the same whatever is set around it."""
        return ()

    def name_of(self, network: Pass) -> str:
        """The fetches."""
        return ", ".join(str(getattr(leaf, "name", leaf)) for leaf in network.leaves)

    def objection(self, network: Pass) -> str | None:
        """Fetches or feeds with a fixed number of items, and graphs that draw at random or write."""
        if not network.is_looked_at:
            network.objection = objection(network.leaves, network.feeds)
            network.is_looked_at = True
        return network.objection

    def stamp(self, network: Pass) -> dict[str, Any]:
        """Nothing: graphs that write are never stacked."""
        return {}

    def _pass(self, session: Any, fetches: Any, feeds: tuple[Any, ...]) -> Pass | None:
        """The same object for the same fetches and feeds of a session; None if they are not tensors."""
        leaves, shape = flatten(fetches)
        kind = self._tensorflow.Tensor
        if not all(isinstance(tensor, kind) for tensor in (*leaves, *feeds)):
            return None
        key = (shape, *map(id, leaves), None, *map(id, feeds))
        known = self._passes.setdefault(session, {})
        if key not in known:
            known[key] = Pass(fetches, feeds)  # keeps the tensors, and so their addresses
        return known[key]


def _runner(original: Callable[..., Any], session: Any) -> Callable[..., Any]:
    def run(network: Pass, *values: Any) -> Any:
        return original(session, network.fetches, dict(zip(network.feeds, values, strict=True)))

    return run


def _array(placeholder: Any, value: Any) -> Any:
    """Lists become arrays, as the session would make them."""
    if isinstance(value, (list, tuple)) and placeholder.dtype.as_numpy_dtype is not object:
        return np.asarray(value, dtype=placeholder.dtype.as_numpy_dtype)
    return value
