"""Adapter for Keras 3 on TensorFlow: calls and `predict` of models, in eager mode. It imports neither."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from runway_serve.batching.coalesce.adapter import Generator, Part
from runway_serve.batching.coalesce.numpy_tensors import NumpyTensors
from runway_serve.batching.coalesce.patches import loaded, meet_calls


class KerasModels(NumpyTensors):
    """Keras models, as coalescing sees them; their tensors are arrays or eager tensors of TensorFlow."""

    framework = "keras"

    def __init__(self) -> None:
        self._tensorflow: Any = None
        self._eager: Any = None
        self._device: str | None = None

    def attach(self, module: Any) -> None:
        """Meet the calls of all models; the device that is set now is the usual one."""
        tensorflow = loaded("tensorflow")
        if tensorflow is None or module.backend.backend() != "tensorflow":
            return
        if self._tensorflow is None:
            self._tensorflow = tensorflow
            self._eager = loaded("tensorflow.python.framework.ops").EagerTensor  # type: ignore[union-attr]
        self._device = _device()
        for kind in (module.Model, module.Sequential):
            for name in ("__call__", "predict"):
                if name in vars(kind) or kind is module.Model:
                    meet_calls(kind, name, self)

    def parts(self) -> Sequence[Part]:
        """TensorFlow's own are those of `TensorflowSessions`."""
        return ()

    def generator(self) -> Generator | None:
        """Their state is spread over variables and kernels."""
        return None

    def seed_functions(self) -> list[tuple[Any, str]]:
        """All lead to those of TensorFlow."""
        return []

    def mode(self) -> Hashable | None:
        """None inside graphs, on another device, and while gradients are recorded."""
        tapes = loaded("tensorflow.python.pywrap_tfe") or loaded("tensorflow.python._pywrap_tfe")
        if self._tensorflow is None or not self._tensorflow.executing_eagerly():
            return None
        if tapes is not None and not tapes.TFE_Py_TapeSetIsEmpty():
            return None
        return () if _device() == self._device else None

    def name_of(self, network: Any) -> str:
        """As Keras calls the model."""
        return str(getattr(network, "name", None) or type(network).__name__)

    def objection(self, network: Any) -> str | None:
        """None: training is an argument of the call, and what it changes is seen by the check."""
        return None

    def stamp(self, network: Any) -> dict[str, Any]:
        """Which variables it has, and the contents of those that calls may write: statistics and seeds."""
        written = {
            getattr(variable, "path", variable.name): hashlib.blake2b(
                np.asarray(variable).tobytes()
            ).digest()
            for variable in network.non_trainable_variables
        }
        return {"its weights": tuple(map(id, network.trainable_variables)), **written}

    def is_tensor(self, leaf: Any) -> bool:
        """Arrays and dense eager tensors of numbers."""
        if type(leaf) is self._eager:
            return leaf.dtype.is_numpy_compatible and leaf.dtype.as_numpy_dtype is not object
        return super().is_tensor(leaf)

    def is_constant(self, leaf: Any) -> bool:
        """Types of either."""
        dtypes = self._tensorflow.DType if self._tensorflow is not None else np.dtype
        return isinstance(leaf, dtypes) or super().is_constant(leaf)

    def describe(self, tensor: Any) -> Hashable:
        """Which kind of tensor too: what comes back is of that kind."""
        device = getattr(tensor, "device", "") if type(tensor) is self._eager else ""
        return type(tensor), tuple(tensor.shape), str(tensor.dtype), device

    def value(self, tensor: Any) -> Hashable:
        """The bytes of either."""
        return super().value(np.asarray(tensor))

    def join(self, tensors: Sequence[Any], dimension: int) -> Any:
        """One of the same kind."""
        if type(tensors[0]) is self._eager:
            return self._tensorflow.concat(tensors, axis=dimension)
        return super().join(tensors, dimension)

    def split(self, tensor: Any, count: int, dimension: int) -> list[Any]:
        """Parts; eager tensors cannot be written to."""
        if type(tensor) is not self._eager:
            return super().split(tensor, count, dimension)
        return list(self._tensorflow.split(tensor, count, axis=dimension))

    def own(self, tensor: Any) -> Any:
        """A copy of an array."""
        return tensor if type(tensor) is self._eager else super().own(tensor)

    def altered(self, tensor: Any, dimension: int) -> Any | None:
        """Of the same kind."""
        changed = super().altered(np.asarray(tensor), dimension)
        if changed is None or type(tensor) is not self._eager:
            return changed
        return self._tensorflow.constant(changed)

    def difference(self, value: Any, reference: Any, strictness: float = 1.0) -> str | None:
        """As for arrays."""
        if type(value) is not type(reference):
            return f"{type(value).__name__}, alone {type(reference).__name__}"
        return super().difference(np.asarray(value), np.asarray(reference), strictness)

    def is_same(self, one: Any, other: Any) -> bool:
        """As for arrays."""
        return super().is_same(np.asarray(one), np.asarray(other))


def _device() -> str | None:
    """What `with tf.device(...)` set."""
    eager = loaded("tensorflow.python.eager.context")
    return None if eager is None else eager.context().device_name
