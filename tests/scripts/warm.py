"""A model that notes what it ran, with inputs of every kind."""

import os
import sys

import runway
from runway.data_types import any as anything
from runway.data_types import array, category, file, image, number, text, vector

ran = []  # of this worker, since its last setup


@runway.setup(options={"tag": text(default="first")})
def setup(options):
    ran.clear()
    return options["tag"]


inputs = {
    "z": vector(length=4),
    "picture": image(channels=1, width=32, height=16),
    "kind": category(choices=["a", "b"]),
    "words": array(text(min_length=9), min_length=2),
    "weights": file(default="/none"),
}


@runway.command("plain", inputs=inputs, outputs={"n": number})
def plain(model, inputs):
    assert inputs["picture"].size == (32, 16) and inputs["z"].shape == (4,)
    ran.append(["plain", inputs["kind"], len(inputs["words"]), inputs["weights"], model])
    return 1


@runway.command("batched", inputs={"x": number(min=3)}, outputs={"y": number}, batch=True)
def batched(model, batch):
    ran.append(["batched", [item["x"] for item in batch]])
    return [item["x"] for item in batch]


@runway.command("endless", inputs={"x": number}, outputs={"y": number})
def endless(model, inputs):
    while True:
        ran.append(["endless"])
        yield 1


@runway.command("fails", inputs={"x": number}, outputs={"y": number})
def fails(model, inputs):
    raise ValueError("made up")


@runway.command("leaves", inputs={"x": number}, outputs={"y": number})
def leaves(model, inputs):
    sys.exit(4)


@runway.command("whatever", inputs={"x": anything}, outputs={"ran": anything, "pid": number})
def whatever(model, inputs):
    return {"ran": ran, "pid": os.getpid()}


if __name__ == "__main__":
    runway.run()
