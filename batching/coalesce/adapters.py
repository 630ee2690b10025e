"""The frameworks that coalescing knows."""

from __future__ import annotations

from runway_serve.batching.coalesce.adapter import Adapter
from runway_serve.batching.coalesce.keras_models import KerasModels
from runway_serve.batching.coalesce.onnx_sessions import OnnxSessions
from runway_serve.batching.coalesce.tensorflow_sessions import TensorflowSessions
from runway_serve.batching.coalesce.torch_modules import TorchModules


def all_adapters() -> list[Adapter]:
    """One of each; they do nothing before the script imported their framework."""
    return [TorchModules(), OnnxSessions(), TensorflowSessions(), KerasModels()]
