"""Adapter for PyTorch: modules, scripted and compiled ones included. It never imports torch."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from runway_serve.batching.coalesce.adapter import Generator, Part
from runway_serve.batching.coalesce.grouping import UnstackableError
from runway_serve.batching.coalesce.patches import loaded, meet_calls
from runway_serve.batching.coalesce.tolerances import TOLERANCES
from runway_serve.batching.coalesce.torch_state import objection, stamp
from runway_serve.batching.coalesce.torch_world import Modes

VALUE_MAX_ITEMS = 64  # larger tensors that are the same for all items are told apart by identity


class TorchModules:
    """PyTorch, as coalescing sees it."""

    framework = "torch"

    def __init__(self) -> None:
        self._torch: Any = None
        self._modes: Modes | None = None
        self._tensors: tuple[type, ...] = ()
        self._constants: tuple[type, ...] = ()

    def attach(self, module: Any) -> None:
        """Meet the calls of all modules."""
        torch = self._torch = module
        if self._modes is None:
            self._modes = Modes(torch)
            self._tensors = (torch.Tensor, torch.nn.Parameter)
            self._constants = (torch.dtype, torch.device, torch.Size, torch.memory_format)
        meet_calls(torch.nn.Module, "__call__", self)
        compiled = loaded("torch._dynamo.eval_frame")
        if compiled is not None:  # has a __call__ of its own, around that of all modules
            meet_calls(compiled.OptimizedModule, "__call__", self)

    def parts(self) -> Sequence[Part]:
        """Modes of evaluation."""
        assert self._modes is not None
        return self._modes.parts()

    def mode(self) -> Hashable | None:
        """The modes that are on; None inside traces, transforms and other streams."""
        assert self._modes is not None
        return self._modes.current()

    def name_of(self, network: Any) -> str:
        """The class, which scripted modules hide."""
        return str(getattr(network, "original_name", type(network).__name__))

    def objection(self, network: Any) -> str | None:
        """Hooks, and layers in training mode that mix items or draw at random."""
        return objection(self._torch, network)

    def stamp(self, network: Any) -> dict[str, Any]:
        """Its attributes, buffers and parameters, and the generators."""
        return stamp(self._torch, network)

    def is_tensor(self, leaf: Any) -> bool:
        """Dense tensors; a subclass may have its own idea of joining."""
        return type(leaf) in self._tensors and leaf.layout is self._torch.strided

    def is_constant(self, leaf: Any) -> bool:
        """Types, devices, sizes."""
        return isinstance(leaf, self._constants)

    def describe(self, tensor: Any) -> Hashable:
        """Shape, type and device."""
        if tensor.requires_grad and self._torch.is_grad_enabled():
            raise UnstackableError("gradients of its input are wanted")
        return tuple(tensor.shape), tensor.dtype, tensor.device

    def value(self, tensor: Any) -> Hashable:
        """The values of small ones on the CPU; else which tensor it is, as reading would wait for the device."""
        if tensor.device.type == "cpu" and tensor.numel() <= VALUE_MAX_ITEMS:
            return repr(tensor.detach().tolist())
        version = None if tensor.is_inference() else tensor._version
        return id(tensor), tensor.data_ptr(), version

    def join(self, tensors: Sequence[Any], dimension: int) -> Any:
        """Their values one after the other."""
        return self._torch.cat(tuple(tensors), dim=dimension)

    def split(self, tensor: Any, count: int, dimension: int) -> list[Any]:
        """Copies: a view would keep the whole batch in memory, and writing into one would be seen by all."""
        size, rest = divmod(tensor.shape[dimension], count)
        if rest:
            raise ValueError(f"{tensor.shape[dimension]} rows for {count} items")
        return [part.clone() for part in tensor.split(size, dim=dimension)]

    def own(self, tensor: Any) -> Any:
        """A copy."""
        return tensor.clone()

    def altered(self, tensor: Any, dimension: int) -> Any | None:
        """The values of each item in reverse order, so that none is out of range; if all are equal, halved."""
        if tensor.dtype is self._torch.bool or tensor.requires_grad:
            return None
        others = [at for at in range(tensor.dim()) if at != dimension]
        turned = self._torch.flip(tensor, others)
        if not self.is_same(turned, tensor):
            return turned
        if not tensor.is_floating_point():
            return None
        halved = tensor * 0.5
        return halved + 0.5 if self.is_same(halved, tensor) else halved

    def difference(self, value: Any, reference: Any, strictness: float = 1.0) -> str | None:
        """None within `TOLERANCES`; integers and booleans must be equal."""
        if value.dtype is not reference.dtype or value.shape != reference.shape:
            return f"{value.dtype} {tuple(value.shape)}, alone {reference.dtype} {tuple(reference.shape)}"
        value, reference = value.detach(), reference.detach()
        if self.is_same(value, reference):
            return None
        name = str(reference.dtype).removeprefix("torch.")
        if name not in TOLERANCES:
            return f"{name} values differ"
        finite = self._torch.isfinite(reference)
        ends = (value[~finite], reference[~finite])
        if not self.is_same(finite, self._torch.isfinite(value)) or not self.is_same(*ends):
            return "infinite or undefined in other places"
        wide = self._torch.complex128 if value.is_complex() else self._torch.float64
        known = reference[finite].to(wide)
        scale = float(known.abs().max())
        apart = float((value[finite].to(wide) - known).abs().max())
        if apart <= TOLERANCES[name] / strictness * scale:
            return None
        return f"{apart:.3g} where the largest value is {scale:.3g}"

    def is_same(self, one: Any, other: Any) -> bool:
        """Equal to the bit."""
        if one.shape != other.shape or one.dtype is not other.dtype:
            return False
        if self._torch.equal(one, other):
            return True
        if not (one.is_floating_point() or one.is_complex()):
            return False
        return bool(((one == other) | (one.isnan() & other.isnan())).all())

    def is_out_of_memory(self, error: Exception) -> bool:
        """A device that is full, or a CPU allocation that was refused."""
        full = getattr(self._torch, "OutOfMemoryError", None) or self._torch.cuda.OutOfMemoryError
        text = str(error).lower()
        return isinstance(error, full) or (
            isinstance(error, RuntimeError)
            and ("out of memory" in text or "can't allocate memory" in text)
        )

    def wait(self) -> None:
        """Wait for the current CUDA device."""
        cuda = self._torch.cuda
        if cuda.is_initialized():
            cuda.synchronize()

    def seed_functions(self) -> list[tuple[Any, str]]:
        """Functions that set the state of the process-wide generators."""
        torch = self._torch
        names = ("manual_seed", "seed", "set_rng_state")
        cuda = (
            "manual_seed",
            "manual_seed_all",
            "seed",
            "seed_all",
            "set_rng_state",
            "set_rng_state_all",
        )
        return [
            *((torch, name) for name in names),
            *((torch.random, name) for name in names),
            *((torch.cuda, name) for name in cuda),
            *((torch.cuda.random, name) for name in cuda),
        ]

    def generator(self) -> Generator:
        """Reads and writes the state of the process-wide generators: the CPU's, and the cards' once they are used."""
        torch = self._torch

        def read() -> Any:
            cards = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None
            return torch.get_rng_state(), cards

        write_cpu, write_cards = _plain(torch.set_rng_state), _plain(torch.cuda.set_rng_state_all)

        def write(state: Any) -> None:
            write_cpu(state[0])
            if state[1] is not None:
                write_cards(state[1])

        return read, write


def _plain(function: Any) -> Any:
    """The function itself, should it be watched already."""
    return getattr(function, "_runway_serve_original", function)
