"""What the chaos runs serve: answers carry a checksum of their input, and each run leaves its id in a file."""

import os
import signal
import time
import zlib

import numpy as np

import runway
from runway.data_types import file, image, number, text

LEAK_BYTES = 32 << 20
LEAK_MOST = 4  # the call after so many is killed, as the system would when memory ends
runs = os.open(os.environ["CHAOS_RUNS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
leaked = []


def note(run):
    os.write(runs, f"{run}\n".encode())


def checked(run, data):
    note(run)
    return {"id": run, "sum": zlib.crc32(data)}


@runway.setup(options={"tag": text(default="")})
def setup(options):
    time.sleep(0.1)
    return options["tag"]


ANSWER = {"id": text, "sum": number}


@runway.command("add", inputs={"id": text, "data": text}, outputs=ANSWER)
def add(model, inputs):
    return checked(inputs["id"], inputs["data"].encode())


@runway.command(
    "many", inputs={"id": text, "data": text}, outputs=ANSWER, batch=True, max_batch_size=8
)
def many(model, batch):
    time.sleep(0.005)
    return [checked(inputs["id"], inputs["data"].encode()) for inputs in batch]


@runway.command("invert", inputs={"id": text, "image": image}, outputs={"id": text, "image": image})
def invert(model, inputs):
    note(inputs["id"])
    return {"id": inputs["id"], "image": 255 - np.asarray(inputs["image"])}


@runway.command("fetch", inputs={"id": text, "file": file}, outputs=ANSWER)
def fetch(model, inputs):
    with open(inputs["file"], "rb") as source:
        return checked(inputs["id"], source.read())


@runway.command("hang", inputs={"id": text}, outputs={"id": text})
def hang(model, inputs):
    note(inputs["id"])
    time.sleep(3600)


@runway.command("leak", inputs={"id": text}, outputs={"id": text})
def leak(model, inputs):
    note(inputs["id"])
    if len(leaked) == LEAK_MOST:
        os.kill(os.getpid(), signal.SIGKILL)
    leaked.append(bytearray(b"x") * LEAK_BYTES)
    return {"id": inputs["id"]}


if __name__ == "__main__":
    runway.run()
