"""What NVML says about the cards of this machine: a list of them, and live readings.

All that touches pynvml is here; which cards are used is decided in `devices.py`. NVML is started and
shut down within each call, so that no process keeps a handle. A reading that a card, a driver or WSL
does not offer is absent and never an error.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

logger = logging.getLogger(__name__)

GPU_IS_GONE = (15, 16)  # NVML_ERROR_GPU_IS_LOST, NVML_ERROR_RESET_REQUIRED
TEMPERATURE_GPU = 0  # NVML_TEMPERATURE_GPU, the only sensor

_warned: set[tuple[str, str]] = set()  # (uuid, reading) that the log names already


class NvmlUnavailableError(Exception):
    """NVML does not answer at all; the text is the reason."""


@dataclass(frozen=True)
class Card:
    """A GPU as NVML counts them (in PCI order), or one MIG instance of it."""

    index: int
    uuid: str | None = None
    name: str = "GPU"
    memory_bytes: int | None = None
    is_instance: bool = False
    instances: tuple[Card, ...] | None = None  # None: MIG is off, the card is used whole
    problem: str | None = None  # why the card cannot be used


def cards() -> list[Card]:
    """Every card of the machine in NVML's order, broken ones included.

    Raises:
        NvmlUnavailableError: NVML is missing, does not fit the driver, or cannot count.
    """
    with _session() as nvml:
        try:
            count = nvml.nvmlDeviceGetCount()
        except nvml.NVMLError as error:
            raise NvmlUnavailableError(f"NVML cannot count GPUs: {_text(error)}") from error
        return [_card(nvml, index) for index in range(count)]


def readings(uuids: Iterable[str]) -> dict[str, dict[str, float]]:
    """Live readings by UUID; what cannot be read is left out and logged once.

    Starts and stops NVML, so it does not belong on an event loop.

    Returns:
        `memory_used_bytes`, `memory_total_bytes`, `utilization_ratio` (0 to 1) and
        `temperature_celsius` for each UUID.
    """
    found: dict[str, dict[str, float]] = {uuid: {} for uuid in uuids}
    try:
        with _session() as nvml:
            for uuid, values in found.items():
                values.update(_readings_of(nvml, uuid))
    except NvmlUnavailableError as error:
        _warn_once("NVML", "readings", str(error))
    return found


@contextmanager
def _session() -> Iterator[Any]:
    try:
        import pynvml as nvml  # here: the front and the SDK must not load it
    except ImportError as error:
        raise NvmlUnavailableError("NVML cannot be asked: nvidia-ml-py is missing") from error
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        raise NvmlUnavailableError(f"NVML cannot start: {_text(error)}") from error
    try:
        yield nvml
    finally:
        with suppress(nvml.NVMLError):
            nvml.nvmlShutdown()


def _card(nvml: Any, index: int) -> Card:
    try:
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
        card = replace(
            _describe(nvml, handle, Card(index)), instances=_instances(nvml, handle, index)
        )
    except nvml.NVMLError as error:
        return Card(index, problem=_text(error))
    if card.instances == ():
        return replace(card, problem="MIG is on and it has no MIG instance")
    return card


def _describe(nvml: Any, handle: Any, blank: Card) -> Card:
    """`blank` with the identity of the card or instance behind `handle`."""
    return replace(
        blank,
        uuid=_optional(nvml, lambda: _decoded(nvml.nvmlDeviceGetUUID(handle))),
        name=_optional(nvml, lambda: _decoded(nvml.nvmlDeviceGetName(handle))) or blank.name,
        memory_bytes=_optional(nvml, lambda: int(nvml.nvmlDeviceGetMemoryInfo(handle).total)),
    )


def _instances(nvml: Any, handle: Any, index: int) -> tuple[Card, ...] | None:
    mode = _optional(nvml, lambda: nvml.nvmlDeviceGetMigMode(handle)[0])
    if not mode:
        return None
    slots = _optional(nvml, lambda: nvml.nvmlDeviceGetMaxMigDeviceCount(handle)) or 0
    handles = [
        _optional(nvml, partial(nvml.nvmlDeviceGetMigDeviceHandleByIndex, handle, slot))
        for slot in range(slots)
    ]
    blank = Card(index, name="MIG instance", is_instance=True)
    found = [_describe(nvml, one, blank) for one in handles if one is not None]
    return tuple(instance for instance in found if instance.uuid)  # CUDA knows them by UUID only


def _readings_of(nvml: Any, uuid: str) -> dict[str, float]:
    questions: dict[str, Callable[[Any], dict[str, float]]] = {
        "memory": lambda handle: _memory(nvml.nvmlDeviceGetMemoryInfo(handle)),
        "utilization": lambda handle: {
            "utilization_ratio": nvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100
        },
        "temperature": lambda handle: {
            "temperature_celsius": nvml.nvmlDeviceGetTemperature(handle, TEMPERATURE_GPU)
        },
    }
    values: dict[str, float] = {}
    try:
        handle = nvml.nvmlDeviceGetHandleByUUID(uuid)
    except (nvml.NVMLError, AttributeError) as error:
        _warn_once(uuid, "readings", _text(error))
        return values
    for reading, ask in questions.items():
        try:
            values.update(ask(handle))
        except (nvml.NVMLError, AttributeError) as error:
            _warn_once(uuid, reading, _text(error))
    return values


def _memory(memory: Any) -> dict[str, float]:
    return {"memory_used_bytes": memory.used, "memory_total_bytes": memory.total}


def _optional(nvml: Any, ask: Callable[[], Any]) -> Any:
    """What `ask` answers; None where the card, driver or bindings do not know the question."""
    try:
        return ask()
    except AttributeError:
        return None
    except nvml.NVMLError as error:
        if getattr(error, "value", None) in GPU_IS_GONE:
            raise
        return None


def _warn_once(subject: str, reading: str, reason: str) -> None:
    if (subject, reading) not in _warned:
        _warned.add((subject, reading))
        logger.warning("%s has no %s: %s", subject, reading, reason)


def _text(error: Exception) -> str:
    return str(error) or type(error).__name__


def _decoded(text: str | bytes) -> str:
    return text.decode() if isinstance(text, bytes) else text
