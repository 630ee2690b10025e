"""What is fuzzed: bytes from a client on their way to a task, and frames between front and workers, both ways.

Each target takes any bytes, lets the errors that are documented pass, and raises on everything else.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from functools import cache
from typing import TypeVar

import numpy as np

from runway import data_types as types
from runway.codec import unpack
from runway.exceptions import RunwayError
from runway.exchange import open_call
from runway.manifest import Manifest
from runway.messages import (
    CancelTasks,
    Outcome,
    RunBatch,
    RunSetup,
    read_by_front,
    read_by_worker,
)
from runway.model import RunwayModel
from runway.zmtp import Buffer, Decoder

Message = TypeVar("Message")
BODY_LIMIT = 1 << 20
ARENA = np.zeros(1 << 16, np.uint8)
FRAME_SIZE_BYTES = 2


def body(data: bytes) -> None:
    """A body of `POST /all`: the bits of the first byte say gzip, an output format header, and a body to build."""
    choice, rest = (data[0], data[1:]) if data else (0, b"")
    if choice & 4:
        rest = built(rest)
    headers = {"content-encoding": "gzip"} if choice & 1 else {}
    if choice & 2:
        name, _, rest = rest.partition(b"\n")
        headers["x-runway-output-format"] = name.decode("latin1")
    try:
        call = open_call(manifest(), "all", headers, rest, BODY_LIMIT)
        invocation = call.decode()
    except RunwayError as error:
        assert 400 <= error.code < 500, error
        return
    # a file is opened in the worker, and what that may do is another matter
    inputs = {name: value for name, value in invocation.inputs.items() if name != "weights"}
    manifest().command("all").inputs.restore(inputs)


def built(data: bytes) -> bytes:
    """A JSON body from parts: an input, how its value is written, the length of what follows, and that."""
    names = list(manifest().command("all").inputs.types)
    fields = []
    while len(data) > PART_HEAD_BYTES:
        name, kind, size = data[0], data[1], int.from_bytes(data[2:PART_HEAD_BYTES], "little")
        part, data = data[PART_HEAD_BYTES:][:size], data[PART_HEAD_BYTES + size :]
        writer = WRITERS[kind % len(WRITERS)]
        fields.append(json.dumps(names[name % len(names)]).encode() + b":" + writer(part))
    return b"{" + b",".join(fields) + b"}"


def as_text(part: bytes) -> bytes:
    return json.dumps(part.decode("utf8", "replace")).encode()


def as_base64(part: bytes) -> bytes:
    return b'"' + base64.b64encode(part) + b'"'


def as_data_uri(part: bytes) -> bytes:
    return b'"data:image/png;base64,' + base64.b64encode(part) + b'"'


def as_numbers(part: bytes) -> bytes:
    return json.dumps([byte / 16 - 4 for byte in part]).encode()


WRITERS = (bytes, as_text, as_base64, as_data_uri, as_numbers)
PART_HEAD_BYTES = 4


def to_worker(data: bytes) -> None:
    """Frames that reach a worker."""
    message = read_from(frames_of(data), read_by_worker)
    if isinstance(message, RunBatch):
        assert {type(message.batch_id), *(type(task_id) for task_id, _ in message.tasks)} == {int}
        assert type(message.command) is str
        assert message.room is None or [type(number) for number in message.room] == [int, int]
    elif isinstance(message, RunSetup):
        assert (type(message.generation), type(message.options)) == (int, dict)
    elif message is not None:
        assert isinstance(message, CancelTasks)
        assert all(type(task_id) is int for task_id in message.task_ids)


def to_front(data: bytes) -> None:
    """Frames that reach the front."""
    message = read_from(frames_of(data), read_by_front)
    if message is None:
        return
    if message["op"] == "setup_done":
        assert type(message["generation"]) is int
        errors = [message["error"]]
    else:
        assert (type(message["run_s"]), type(message["lanes"])) == (float, int)
        assert message["done"] is None or type(message["done"]) is int
        assert all(type(item.task_id) is int for item in message["items"])
        errors = [error_of(item) for item in message["items"]]
    for error in errors:
        assert error is None or (type(error.code), type(error.message)) == (int, str)


def error_of(item: Outcome) -> RunwayError | None:
    return item.event if isinstance(item.event, RunwayError) else None


def stream(data: bytes) -> None:
    """What a socket between front and worker gives, in pieces of as many bytes as the first one says."""
    size, rest = (data[0] or 1, data[1:]) if data else (1, b"")
    decoder = Decoder()
    try:
        for at in range(0, len(rest), size):
            for frames in decoder.feed(rest[at : at + size]):
                assert frames
                read_from(frames, read_by_worker)
    except ValueError:  # the connection is closed
        return


def read_from(frames: Sequence[Buffer], read: Callable[[object], Message]) -> Message | None:
    """The message, None if it is one that both ends count and drop."""
    try:
        return read(unpack(frames, look_up))
    except ValueError:
        return None


def look_up(offset: int, size: int) -> np.ndarray:
    """Bytes of a small arena, as `runway.arena.Arena.at` gives them."""
    if offset < 0 or size < 0 or offset + size > ARENA.size:
        raise ValueError("outside of the arena")
    return ARENA[offset : offset + size]


def frames_of(data: bytes) -> list[bytes]:
    """Frames, each after its length in two bytes; never none."""
    frames = []
    while len(data) > FRAME_SIZE_BYTES:
        size = int.from_bytes(data[:FRAME_SIZE_BYTES], "little")
        frames.append(data[FRAME_SIZE_BYTES : FRAME_SIZE_BYTES + size])
        data = data[FRAME_SIZE_BYTES + size :]
    return frames or [data]


def as_bytes(frames: list[bytes]) -> bytes:
    """The opposite of `frames_of`."""
    return b"".join(len(frame).to_bytes(FRAME_SIZE_BYTES, "little") + frame for frame in frames)


@cache
def manifest() -> Manifest:
    """One command, `all`, with an input of every type."""
    model = RunwayModel()
    inputs = {
        "anything": types.any(),
        "words": types.array(item_type=types.text(max_length=5), max_length=4),
        "flag": types.boolean(default=True),
        "choice": types.category(choices=["small", "large"], default="large"),
        "amount": types.number(min=0, max=10, default=2.5),
        "free": types.number(default=7),
        "caption": types.text(default="hello", max_length=40),
        "z": types.vector(length=4),
        "picture": types.image(),
        "regions": types.segmentation(label_to_id={"background": 0, "sky": 1}),
        "spot": types.image_point(),
        "box": types.image_bounding_box(),
        "face": types.image_landmarks(length=2, labels=["left", "right"]),
        "weights": types.file(default="none"),
    }
    for data_type in inputs.values():
        data_type.default = getattr(data_type, "default", None)  # none is required
    model.command("all", inputs=inputs, outputs={"picture": types.image()})(
        lambda model, given: given
    )
    return model.manifest


TARGETS = {"body": body, "to_worker": to_worker, "to_front": to_front, "stream": stream}
