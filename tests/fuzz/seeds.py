"""Where fuzzing begins: real bodies and real messages. `python -m tests.fuzz.seeds` writes them."""

from __future__ import annotations

import base64
import gzip
import io
import json
from pathlib import Path

import numpy as np
from PIL import Image

from runway.codec import Packer
from runway.exceptions import InferenceError
from runway.invocation import Invocation, Output
from runway.messages import (
    CancelTasks,
    Coalesced,
    Outcome,
    RunBatch,
    RunSetup,
    outcomes,
    setup_done,
)
from runway.zmtp import encode, opening
from tests.fuzz.targets import as_bytes

CORPUS = Path(__file__).parent / "corpus"
SMALL = {"picture": "PNG", "jpeg": "JPEG", "palette": "GIF"}


def bodies() -> dict[str, bytes]:
    """Name -> body, its first byte as `tests.fuzz.targets.body` reads it."""
    values = {
        "words": ["a", "b"],
        "flag": False,
        "choice": "small",
        "amount": 1.5,
        "free": -3,
        "caption": "é😀",
        "z": [0.5, 1, -2, 3],
        "spot": [0.1, 0.9],
        "box": [0.1, 0.1, 0.5, 0.6],
        "face": [[0, 0], [1, 1]],
        "anything": {"a": [None, True, 1e300]},
    }
    found = {"plain": b"\0" + json.dumps(values).encode()}
    found["gzip"] = b"\1" + gzip.compress(json.dumps(values).encode(), mtime=0)
    found["header"] = b"\2picture=PNG\n" + json.dumps({"flag": True}).encode()
    found["surrogate"] = b'\0{"caption": "\\ud800"}'
    for name, kind in SMALL.items():
        buffer = io.BytesIO()
        Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3)).save(buffer, kind)
        text = base64.b64encode(buffer.getvalue()).decode()
        uri = f"data:image/{kind.lower()};base64,{text}"
        found[name] = b"\0" + json.dumps({"picture": uri, "regions": text}).encode()
        found[f"built-{name}"] = (
            b"\4" + part(8, 3, buffer.getvalue()) + part(9, 2, buffer.getvalue())
        )
    found["built-numbers"] = b"\4" + part(7, 4, b"1234") + part(10, 4, b"AF") + part(6, 1, b"hello")
    return found


def part(name: int, kind: int, value: bytes) -> bytes:
    """One input as `tests.fuzz.targets.built` reads it."""
    return bytes((name, kind)) + len(value).to_bytes(2, "little") + value


def from_front() -> dict[str, bytes]:
    """Name -> frames of a message to a worker."""
    inputs = {"z": np.arange(4.0), "caption": "x", "picture": np.zeros((2, 2, 3), np.uint8)}
    call = Invocation("all", inputs, {"picture": "PNG"}, False, "request-1")
    packed = {
        "batch": RunBatch(1, "all", [(7, call)], (0, 1024)).to_wire(),
        "setup": RunSetup(2, {"tag": "x", "big": 10**30}).to_wire(),
        "cancel": CancelTasks([1, 2, 3]).to_wire(),
    }
    return {name: framed(wire) for name, wire in packed.items()}


def from_worker() -> dict[str, bytes]:
    """Name -> frames of a message to the front."""
    items = [
        Outcome(7, Output({"picture": np.zeros((2, 2, 3), np.uint8), "n": 1.5}, 0.5, False)),
        Outcome(8, InferenceError("ValueError('x')")),
    ]
    packed = {
        "outcomes": outcomes(items, 1, 0.01),
        "text": outcomes([Outcome(9, Output(b'{"n":1.5}', None, True))], None, 0.0),
        "coalesced": outcomes(items[1:], 1, 0.01, 4, Coalesced({4: 1}, 2, {True: 1}, {"shape": 1})),
        "setup": setup_done(3, None),
        "setup-failed": setup_done(3, InferenceError("no weights")),
    }
    return {name: framed(wire) for name, wire in packed.items()}


def streams() -> dict[str, bytes]:
    """Name -> a greeting and messages on a stream, as `tests.fuzz.targets.stream` reads it."""
    greeting = opening("DEALER")
    message = RunBatch(1, "all", [(7, Invocation("all", {"z": np.arange(40.0)}, {}))]).to_wire()
    frames = Packer(inline_bytes=16).pack(message)
    talk = b"".join(bytes(piece) for piece in [*encode(frames), *encode([b"x", b"", b"y" * 300])])
    return {
        "greeting": b"\xff" + greeting,
        "messages": b"\xff" + greeting + talk,
        "bytewise": b"\1" + greeting + talk,
    }


def framed(wire: object) -> bytes:
    """The message as frames; arrays of some bytes get a frame of their own."""
    return as_bytes([bytes(frame) for frame in Packer(inline_bytes=16).pack(wire)])


def main() -> None:
    """Write every seed to its file."""
    for target, seeds in (
        ("body", bodies()),
        ("to_worker", from_front()),
        ("to_front", from_worker()),
        ("stream", streams()),
    ):
        folder = CORPUS / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in seeds.items():
            (folder / name).write_bytes(data)


if __name__ == "__main__":
    main()
