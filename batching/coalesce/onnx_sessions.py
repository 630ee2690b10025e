"""Adapter for ONNX Runtime: `InferenceSession.run`. It never imports onnxruntime."""

from __future__ import annotations

import os
from collections.abc import Hashable, Sequence
from typing import Any

from runway_serve.batching.coalesce.adapter import Generator, Part
from runway_serve.batching.coalesce.numpy_tensors import NumpyTensors
from runway_serve.batching.coalesce.patches import meet_calls


class OnnxSessions(NumpyTensors):
    """ONNX Runtime, as coalescing sees it: sessions hold no state that a run changes."""

    framework = "onnxruntime"

    def attach(self, module: Any) -> None:
        """Meet the runs of all sessions."""
        meet_calls(module.InferenceSession, "run", self)

    def parts(self) -> Sequence[Part]:
        """None: a run depends on its arguments only."""
        return ()

    def generator(self) -> Generator | None:
        """Random nodes have generators of their own, which nobody can read."""
        return None

    def seed_functions(self) -> list[tuple[Any, str]]:
        """`set_seed` counts for sessions that are made later."""
        return []

    def mode(self) -> Hashable | None:
        """There are none."""
        return ()

    def name_of(self, network: Any) -> str:
        """The file's name, if there is a file."""
        path = getattr(network, "_model_path", None)
        return os.path.basename(path) if isinstance(path, str) else type(network).__name__

    def objection(self, network: Any) -> str | None:
        """A model whose inputs all have a fixed number of items."""
        inputs = network.get_inputs()
        if any(feed.shape and not isinstance(feed.shape[0], int) for feed in inputs):
            return None
        shapes = ", ".join(f"{feed.name} {feed.shape}" for feed in inputs)
        return f"the first dimension of its inputs is fixed: {shapes}"

    def stamp(self, network: Any) -> dict[str, Any]:
        """Nothing that could change."""
        return {}
