"""The work of every server in this comparison, written once: what comes in, what the model does, what goes out.

Each server script imports it in its own environment, so it needs nothing but numpy, Pillow and, for the network, torch.
"""

from __future__ import annotations

import base64
import fcntl
import io
import itertools
import json
import os
import socket
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

VECTOR_LENGTH = 128
MAX_BATCH_SIZE = 32
JPEG_QUALITY = 75
PNG_COMPRESS_LEVEL = 6  # Pillow's default, which is what its users get
ACCELERATOR_CALL_S = 0.010
ACCELERATOR_ITEM_S = 0.0002
MLP_WIDTHS = (VECTOR_LENGTH, 1024, 1024, 1024, 10)  # 2.24 million parameters

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Workload:
    """What one server process tree has to offer: commands, each with a kind of work of the same name."""

    commands: tuple[str, ...]
    is_batched: bool = False
    devices: int = 1
    image_format: str = "jpeg"

    @property
    def has_images(self) -> bool:
        """Whether some command's work is mostly the processor's: a codec."""
        return any(command.startswith("invert") for command in self.commands)

    @property
    def max_batch_size(self) -> int:
        """Largest batch a server may form."""
        return MAX_BATCH_SIZE if self.is_batched else 1


WORKLOADS = {
    "W1": Workload(("echo",)),
    "W1b": Workload(("echo",), is_batched=True),
    "W2": Workload(("accelerate",), is_batched=True),
    "W3": Workload(("invert",)),
    "W3s": Workload(("invert_accelerated",), is_batched=True),
    "W4": Workload(("mlp",), is_batched=True),
    "W5": Workload(("accelerate",), is_batched=True, devices=2),
    "W6": Workload(("invert",), image_format="png"),
    "W7": Workload(("echo", "invert")),
}


def served() -> tuple[str, Workload]:
    """Name and definition of the workload that this server process was started for."""
    name = os.environ["RIVAL_WORKLOAD"]
    return name, WORKLOADS[name]


def port() -> int:
    """TCP port to serve at."""
    return int(os.environ["RIVAL_PORT"])


def knob(name: str, default: Any) -> Any:
    """A setting of this server: the default, unless the run overrides it with `--knob`."""
    return json.loads(os.environ.get("RIVAL_KNOBS", "{}")).get(name, default)


def free_port() -> int:
    """For what a server listens at besides its HTTP."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Job:
    """One kind of work: `decode` a request body, `predict` a list of what it gave, `encode` one result.

    A server calls the three where its documentation puts them. Make it in the process that predicts: it claims an
    accelerator or builds the network there.
    """

    def __init__(self, command: str) -> None:
        _, workload = served()
        self.command = command
        self.image_format = workload.image_format
        is_accelerated = command in ("accelerate", "invert_accelerated")
        self.accelerator = Accelerator(workload.devices) if is_accelerated else None
        self.network = make_mlp() if command == "mlp" else None

    @property
    def takes_image(self) -> bool:
        """Whether bodies hold `image`, a data URI; else `x`, numbers."""
        return self.command.startswith("invert")

    def decode(self, body: dict[str, Any]) -> Any:
        """Pixels of `image`, or the numbers of `x` as they are."""
        return decode_image(body["image"]) if self.takes_image else body["x"]

    def predict(self, items: Sequence[Any]) -> list[Any]:
        """One result an item, in order."""
        if self.accelerator is not None:
            self.accelerator.run(len(items))
        if self.network is not None:
            return run_mlp(self.network, items)
        return [invert(item) for item in items] if self.takes_image else list(items)

    def encode(self, result: Any) -> dict[str, Any]:
        """The answer's body."""
        if self.takes_image:
            return {"image": encode_image(result, self.image_format)}
        return {"y": result}


class Accelerator:
    """A stand-in for a GPU: one call at a time, 10 ms and 0.2 ms an item, and no processor time."""

    def __init__(self, devices: int) -> None:
        folder = Path(os.environ.get("RIVAL_LOCKS", tempfile.gettempdir()))
        self._claim, device = _claim_device(folder, devices)
        self._lock = (folder / f"device-{device}.lock").open("w")
        self._turn = threading.Lock()  # a file lock does not keep threads of one process apart

    def run(self, items: int) -> None:
        """Hold the device as long as a batch of that many items takes."""
        with self._turn:
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            try:
                time.sleep(ACCELERATOR_CALL_S + ACCELERATOR_ITEM_S * items)
            finally:
                fcntl.flock(self._lock, fcntl.LOCK_UN)


def _claim_device(folder: Path, devices: int) -> tuple[Any, int]:
    """A device that no other process claimed, with the open file that holds the claim; else a shared one."""
    for device in range(devices):
        claim = (folder / f"device-{device}.claim").open("w")
        try:
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            claim.close()
            continue
        return claim, device
    return None, os.getpid() % devices


def decode_image(uri: str) -> Array:
    """Pixels (h, w, 3) of a data URI."""
    data = base64.b64decode(uri.partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def encode_image(pixels: Array, image_format: str) -> str:
    """Data URI of pixels (h, w, 3), by Pillow as most programs use it."""
    buffer = io.BytesIO()
    options = {"quality": JPEG_QUALITY} if image_format == "jpeg" else {}
    Image.fromarray(pixels).save(buffer, image_format.upper(), **options)
    return f"data:image/{image_format};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def invert(pixels: Array) -> Array:
    """The negative."""
    return 255 - pixels


def make_mlp() -> Any:
    """The network of W4, the same in every process; one thread, as the servers are given two cores in all."""
    import torch  # seconds to import, and only W4 needs it

    torch.set_num_threads(int(knob("torch_threads", 1)))
    torch.manual_seed(0)
    layers: list[Any] = []
    for width, next_width in itertools.pairwise(MLP_WIDTHS):
        layers += [torch.nn.Linear(width, next_width), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1]).eval()


def run_mlp(network: Any, items: Sequence[Any]) -> list[list[float]]:
    """Ten numbers an item, from one pass over the stacked batch."""
    import torch

    with torch.inference_mode():
        batch = torch.from_numpy(np.asarray(items, np.float32))
        return list(network(batch).tolist())
