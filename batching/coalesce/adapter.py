"""What coalescing needs to know of a framework; `torch_modules.py` and its like answer it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, Protocol

from runway_serve.batching.coalesce.grouping import Tensors

Part = tuple[str, Callable[[], Any], Callable[[Any], None]]  # name, read, write
Generator = tuple[Callable[[], Any], Callable[[Any], None]]  # reads and writes the state


class Adapter(Tensors, Protocol):
    """One framework: its networks, its tensors and what it keeps beside them."""

    framework: str

    def attach(self, module: Any) -> None:
        """Have lanes meet every network they call; `module` is the imported framework. May be repeated."""

    def parts(self) -> Sequence[Part]:
        """What a call may set for itself, each with its name and the functions that read and write it."""

    def generator(self) -> Generator | None:
        """The framework's process-wide generators; None if their state cannot be exchanged."""

    def seed_functions(self) -> list[tuple[Any, str]]:
        """Modules and names of the functions that set the state of those generators."""

    def mode(self) -> Hashable | None:
        """What must be equal beside the arguments; None where a lane must not pause."""

    def name_of(self, network: Any) -> str:
        """How messages call the network."""

    def objection(self, network: Any) -> str | None:
        """Why this network must never be stacked, as far as its looks tell."""

    def stamp(self, network: Any) -> dict[str, Any]:
        """Its state and that of the framework's generators, by name; equal as long as nothing changed."""

    def join(self, tensors: Sequence[Any], dimension: int) -> Any:
        """One tensor."""

    def split(self, tensor: Any, count: int, dimension: int) -> list[Any]:
        """`count` equal parts of a tensor, each with memory of its own."""

    def own(self, tensor: Any) -> Any:
        """A copy that shares no memory with anything."""

    def altered(self, tensor: Any, dimension: int) -> Any | None:
        """Other values of the same kind in every item; None if there are none to be had."""

    def difference(self, value: Any, reference: Any, strictness: float = 1.0) -> str | None:
        """What is wrong with `value`, None if it agrees with `reference` within tolerance divided by `strictness`."""

    def is_same(self, one: Any, other: Any) -> bool:
        """Whether two tensors are equal to the bit; not-a-number equals itself."""

    def is_out_of_memory(self, error: Exception) -> bool:
        """Whether a smaller batch may succeed."""

    def wait(self) -> None:
        """Return when the device has done all it was given, so that times mean something."""
