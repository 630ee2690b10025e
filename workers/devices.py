"""Which device each worker gets: the cards that were asked for and may be used, or the CPU.

The supervisor calls `discover` once at start. Nothing here sets an environment variable of this
process or starts CUDA: `Device.environ` is for the worker's process.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from runway_serve.workers.nvml import Card, NvmlUnavailableError, cards, readings

__all__ = ["Device", "Discovery", "NoUsableGpuError", "discover", "readings"]

NOTHING_VISIBLE = ("", "-1")
UUID_PREFIXES = ("GPU-", "MIG-")
SHORT_UUID_LENGTH = len("GPU-1a2b3c4d")


class NoUsableGpuError(Exception):
    """GPUs were asked for by number or UUID and cannot be used."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"no usable GPU: {reason}; use --gpus none for CPU")
        self.reason = reason


@dataclass(frozen=True)
class Device:
    """Where one worker runs: a GPU, a MIG instance of one, or the CPU."""

    kind: Literal["gpu", "mig", "cpu"]
    index: int | None
    uuid: str | None
    name: str
    memory_bytes: int | None

    def environ(self) -> dict[str, str]:
        """Variables for the worker's process, to be set before its interpreter starts."""
        if self.kind == "cpu":
            return {"CUDA_VISIBLE_DEVICES": ""}
        return {
            # UUID, not index: it means the same card whatever order CUDA counts in. Few have none.
            "CUDA_VISIBLE_DEVICES": self.uuid or str(self.index),
            "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
            "GPU": "1",
            "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        }

    @property
    def label(self) -> str:
        """For logs and the status page: `GPU-1a2b3c4d (NVIDIA X, index 0)` or `cpu`."""
        if self.kind == "cpu":
            return "cpu"
        uuid = self.uuid or "GPU"
        # Instances of one card may share the first digits, cards do not.
        short = uuid if self.kind == "mig" else uuid[:SHORT_UUID_LENGTH]
        return f"{short} ({self.name}, index {self.index})"


@dataclass(frozen=True)
class Discovery:
    """One device a worker, and one-line warnings for the log."""

    devices: tuple[Device, ...]
    notes: tuple[str, ...]


CPU = Device("cpu", None, None, "CPU", None)


def discover(
    spec: str = "all",
    *,
    cpu_workers: int = 1,
    workers_per_gpu: int = 1,
    visible: str | None = None,
) -> Discovery:
    """Devices for the workers, cards in turn: with two cards and two workers a GPU 0, 1, 0, 1.

    A number means the card that `nvidia-smi` prints under it (PCI order), in `spec` and in `visible`
    alike: with visible "3,1" spec "1" is the second card of the machine and "0" is refused. A card
    with MIG on stands for its instances.

    Args:
        spec: "all", "none", or by comma: numbers, `GPU-` or `MIG-` UUIDs or unique beginnings of them.
        cpu_workers: how many CPU devices "none" gives, and "all" where no GPU can be used.
        workers_per_gpu: how often each device is given.
        visible: the inherited CUDA_VISIBLE_DEVICES, None if unset; as in CUDA it ends at the first
            entry that is unknown, ambiguous or repeated.

    Raises:
        NoUsableGpuError: `spec` names cards; one is unknown or outside `visible`, or none works.
    """
    if cpu_workers < 1 or workers_per_gpu < 1:
        raise ValueError(
            "cpu_workers and workers_per_gpu must be at least 1,"
            f" got {cpu_workers} and {workers_per_gpu}"
        )
    choice = spec.strip().lower()
    if choice == "none":
        return Discovery((CPU,) * cpu_workers, ())
    notes: list[str] = []
    try:
        chosen = _chosen(None if choice == "all" else spec, visible, notes)
    except NvmlUnavailableError as error:
        chosen = []
        notes.append(str(error))
    notes += [f"GPU {card.index} is skipped: {card.problem}" for card in chosen if card.problem]
    devices = [_device(card) for card in chosen if not card.problem]
    if devices:
        return Discovery(tuple(devices * workers_per_gpu), tuple(notes))
    reason = "; ".join(notes) or "NVML lists none"
    if choice != "all":
        raise NoUsableGpuError(reason)
    return Discovery((CPU,) * cpu_workers, (f"no usable GPU: {reason}; running on the CPU",))


def _chosen(spec: str | None, visible: str | None, notes: list[str]) -> list[Card]:
    """Cards and MIG instances to use, broken ones included; all that are visible without `spec`."""
    if visible is not None and visible.strip() in NOTHING_VISIBLE:
        notes.append(f"CUDA_VISIBLE_DEVICES={visible!r} hides every GPU")
        return []
    found = cards()
    allowed = _visible(visible, found, notes)
    if spec is None:
        return allowed
    chosen: list[Card] = []
    for entry in _entries(spec):
        matched = _match(entry, found)
        if not matched:
            raise NoUsableGpuError(f"{entry!r} fits none or several of the {len(found)} GPUs")
        inside = [part for part in matched if part in allowed]
        if not inside:
            raise NoUsableGpuError(f"{entry!r} is not in CUDA_VISIBLE_DEVICES={visible!r}")
        chosen += [part for part in inside if part not in chosen]
    return chosen


def _visible(visible: str | None, found: list[Card], notes: list[str]) -> list[Card]:
    """What CUDA_VISIBLE_DEVICES allows, in its order, up to the first entry that does not count."""
    if visible is None:
        return [part for card in found for part in _parts(card)]
    allowed: list[Card] = []
    for entry in _entries(visible):
        matched = _match(entry, found)
        if not matched and _is_uuid(entry) and any(card.uuid is None for card in found):
            # Probably the broken card, which hides its UUID: no reason to lose the ones behind it.
            notes.append(f"CUDA_VISIBLE_DEVICES entry {entry!r} is skipped: no readable GPU fits")
            continue
        if not matched or any(part in allowed for part in matched):
            fault = "is repeated" if matched else "fits no GPU or several"
            notes.append(f"CUDA_VISIBLE_DEVICES ends before {entry!r}, which {fault}")
            break
        allowed += matched
    return allowed


def _match(entry: str, found: list[Card]) -> list[Card]:
    """The card (its instances, if MIG is on) or instance an entry stands for; empty if not one."""
    if entry.isascii() and entry.isdecimal():
        return _parts(found[int(entry)]) if int(entry) < len(found) else []
    if not _is_uuid(entry):
        return []
    named = {card.uuid: _parts(card) for card in found}
    named |= {part.uuid: [part] for card in found for part in card.instances or ()}
    if entry in named:
        return named[entry]
    fitting = [parts for uuid, parts in named.items() if uuid and uuid.startswith(entry)]
    return fitting[0] if len(fitting) == 1 else []


def _parts(card: Card) -> list[Card]:
    """What workers are given of a card: itself, or its instances, as MIG forbids to use it whole."""
    return list(card.instances) if card.instances else [card]


def _entries(text: str) -> list[str]:
    return [entry.strip() for entry in text.strip().removesuffix(",").split(",")]


def _is_uuid(entry: str) -> bool:
    return entry.startswith(UUID_PREFIXES)


def _device(card: Card) -> Device:
    kind: Literal["gpu", "mig"] = "mig" if card.is_instance else "gpu"
    return Device(kind, card.index, card.uuid, card.name, card.memory_bytes)
