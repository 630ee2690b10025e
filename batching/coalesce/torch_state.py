"""What makes a PyTorch module unfit for stacking by its looks, and a stamp of its state."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

# Layers that mix the items of a batch, or draw at random, while they train.
MIXING = ("BatchNorm", "SyncBatchNorm", "LazyBatchNorm")
DRAWING = ("Dropout", "AlphaDropout", "FeatureAlphaDropout", "RReLU")
HARMLESS_HOOKS = (
    "torch.nn.utils",
)  # compute weights; the power step of spectral_norm is seen as a change
CONTAINERS = (list, dict, set, tuple)
OWN = frozenset({"_parameters", "_buffers", "_modules"})


def objection(torch: Any, network: Any) -> str | None:
    """Why the module must be left alone, None if it looks fit."""
    if torch.nn.modules.module._has_any_global_hook():
        return "hooks on all modules are set"
    for name, module in network.named_modules():
        if _hooks(module):
            return f"{name or 'it'} has hooks"
        if not module.training:
            continue
        kind = getattr(module, "original_name", None) or type(module).__name__
        if kind.startswith(MIXING):
            return f"{name or 'it'} is {kind} in training mode, which mixes the items of a batch (call .eval())"
        if kind.startswith(DRAWING) and getattr(module, "p", 1) != 0:
            return (
                f"{name or 'it'} is {kind} in training mode, which draws at random (call .eval())"
            )
    return None


def stamp(torch: Any, network: Any) -> dict[str, Any]:
    """State by name: attributes, buffers and parameters of every part, and where torch's generators stand."""
    marks: dict[str, Any] = {"the state of torch's generator": _generators(torch)}
    for path, module in network.named_modules():
        prefix = f"{path}." if path else ""
        for kind in ("_parameters", "_buffers"):
            for name, tensor in (getattr(module, kind, None) or {}).items():
                marks[prefix + name] = _mark(torch, tensor)
        computed = _computed(module)
        for name, value in vars(module).items():
            if name not in OWN and name not in computed:
                marks[prefix + name] = _mark(torch, value)
    return marks


def _hooks(module: Any) -> bool:
    for kind in ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks"):
        for hook in (getattr(module, kind, None) or {}).values():
            if not type(hook).__module__.startswith(HARMLESS_HOOKS):
                return True
    return False


def _computed(module: Any) -> set[str]:
    """Attributes that the harmless hooks compute anew for every call."""
    hooks = (getattr(module, "_forward_pre_hooks", None) or {}).values()
    return {hook.name for hook in hooks if isinstance(getattr(hook, "name", None), str)}


def _mark(torch: Any, value: Any) -> Hashable:
    """Equal as long as the value is the same, and, for tensors and containers, unchanged as far as is cheap to see."""
    if isinstance(value, torch.Tensor):
        if value.is_inference():  # has no version
            return id(value), value.data_ptr(), hash(value.detach().cpu().numpy().tobytes())
        return id(value), value.data_ptr(), value._version
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return (id(value), len(value)) if isinstance(value, CONTAINERS) else id(value)


def _generators(torch: Any) -> Hashable:
    cards: list[bytes] = []
    if torch.cuda.is_initialized():
        cards = [state.numpy().tobytes() for state in torch.cuda.get_rng_state_all()]
    return torch.get_rng_state().numpy().tobytes(), *cards
