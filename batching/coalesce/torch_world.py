"""PyTorch's modes of evaluation: which are on, how to swap them, and where a lane must not pause at all."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from runway_serve.batching.coalesce.adapter import Part

AUTOCAST_DEVICES = ("cpu", "cuda")


class Modes:
    """The modes of the current thread."""

    def __init__(self, torch: Any) -> None:
        self._torch = torch
        self._core = torch._C
        self._functions = torch._C._len_torch_function_stack()
        self._found = Suspended()
        self._has_autocast_by_device = hasattr(torch, "get_autocast_dtype")

    def current(self) -> Hashable | None:
        """The modes that are on; None where pausing could be seen: traces, transforms, other modes, other streams."""
        torch, core = self._torch, self._core
        if core._len_torch_dispatch_stack() or core._len_torch_function_stack() > self._functions:
            return None
        if (
            core._get_tracing_state() is not None
            or _transforms(core)
            or not _is_default_place(torch)
        ):
            return None
        return (
            torch.is_grad_enabled(),
            torch.is_inference_mode_enabled(),
            torch.get_default_dtype(),
            self._autocast(),
        )

    def parts(self) -> Sequence[Part]:
        """Inference mode first: leaving it sets the gradient mode too."""
        torch = self._torch
        parts: list[Part] = [
            ("inference mode", self._inference, self._set_inference),
            ("gradients", torch.is_grad_enabled, torch._C._set_grad_enabled),
            ("default type", torch.get_default_dtype, torch.set_default_dtype),
        ]
        if self._has_autocast_by_device:
            parts.append(("autocast", self._autocast, self._set_autocast))
        return parts

    def _autocast(self) -> Hashable:
        torch = self._torch
        if not self._has_autocast_by_device:
            return bool(torch.is_autocast_enabled())
        devices = [
            (torch.is_autocast_enabled(device), torch.get_autocast_dtype(device))
            for device in AUTOCAST_DEVICES
        ]
        return (*devices, torch.is_autocast_cache_enabled())

    def _set_autocast(self, kept: Any) -> None:
        torch = self._torch
        for device, (is_enabled, dtype) in zip(AUTOCAST_DEVICES, kept[:-1], strict=True):
            torch.set_autocast_enabled(device, is_enabled)
            torch.set_autocast_dtype(device, dtype)
        torch.set_autocast_cache_enabled(kept[-1])

    def _inference(self) -> Suspended | None:
        if not self._torch.is_inference_mode_enabled():
            return None
        self._found = Suspended()
        return self._found

    def _set_inference(self, wanted: Suspended | None) -> None:
        if wanted is None:
            self._found.suspend(self._core)
        else:
            wanted.resume()


class Suspended:
    """Inference mode that a lane is in.

    Its guard puts back what it found, whenever it ends. So a pause is a second guard inside the lane's own, and ends
    with it before the lane goes on; the guards of other lanes may begin and end meanwhile, as each puts back the very
    state that its own lane had.
    """

    def __init__(self) -> None:
        self._pause: Any = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Suspended)

    __hash__ = None  # type: ignore[assignment]

    def suspend(self, core: Any) -> None:
        """Leave inference mode for a while."""
        self._pause = core._InferenceMode(False)
        self._pause.__enter__()

    def resume(self) -> None:
        """Be as before `suspend`."""
        if self._pause is not None:
            self._pause.__exit__(None, None, None)
            self._pause = None


def _transforms(core: Any) -> bool:
    functorch = getattr(core, "_functorch", None)
    peek = getattr(functorch, "peek_interpreter_stack", None)
    return peek is not None and peek() is not None


def _is_default_place(torch: Any) -> bool:
    """Whether work goes to the default stream of the first card, where everyone's goes."""
    cuda = torch.cuda
    if not cuda.is_initialized():
        return True
    return bool(cuda.current_device() == 0 and cuda.current_stream() == cuda.default_stream())
