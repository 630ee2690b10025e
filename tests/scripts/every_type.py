"""Every data type as option, input and output; what comes out can be told from what went in."""

import time
from pathlib import Path

import numpy as np

import runway
from runway.data_types import (
    any,
    array,
    boolean,
    category,
    directory,
    file,
    image,
    image_bounding_box,
    image_landmarks,
    image_point,
    number,
    segmentation,
    text,
    vector,
)

LABELS = {"background": 0, "sky": 1, "tree": 2}
FACE = {
    "length": 3,
    "labels": ["left", "right", "chin"],
    "connections": [["left", "right"], ["right", "chin"]],
}


def all_types():
    return {
        "anything": any(description="Any JSON value"),
        "words": array(item_type=text, max_length=4, description="A list of words"),
        "flag": boolean(default=True, description="On or off"),
        "choice": category(choices=["small", "large"], default="large", description="One of two"),
        "amount": number(min=0, max=10, step=0.5, default=2.5, description="Between 0 and 10"),
        "free": number(default=7),
        "caption": text(default="hello", max_length=40, description="A line of text"),
        "z": vector(length=16, sampling_std=0.5, description="A latent point"),
        "picture": image(description="The picture to work on"),
        "regions": segmentation(
            label_to_id=LABELS, width=64, height=48, description="What is where"
        ),
        "spot": image_point(description="A place in the picture"),
        "box": image_bounding_box(description="A part of the picture"),
        "face": image_landmarks(description="Three places", **FACE),
        "weights": file(extension=".txt", description="A text file"),
        "folder": directory(description="A folder of files"),
    }


PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
START = {
    "anything": {},
    "words": [],
    "picture": PIXEL,
    "regions": PIXEL,
    "spot": [0.5, 0.5],
    "box": [0, 0, 1, 1],
    "face": [[0.3, 0.3], [0.7, 0.3], [0.5, 0.8]],
}


@runway.setup(options=all_types())
def setup(options):
    if options["caption"] == "fail":
        raise RuntimeError("the checkpoint is broken")
    used = {name: told(value) for name, value in options.items()}
    if options["weights"]:
        used["weights"] = Path(options["weights"]).read_text()
    if options["folder"]:
        used["folder"] = sorted(path.name for path in Path(options["folder"]).iterdir())
    return used


def told(value):
    return list(np.shape(value)) if hasattr(value, "__array_interface__") else value


@runway.command(
    "everything", inputs=all_types(), outputs=all_types(), description="Gives back what it gets."
)
def everything(model, inputs):
    return inputs


@runway.command(
    "invert",
    inputs={"image": image, "strength": number(min=0, max=1, default=1.0)},
    outputs={"image": image(default_output_format="PNG")},
)
def invert(model, inputs):
    pixels = np.asarray(inputs["image"]).astype(np.float32)
    strength = inputs["strength"]
    return (pixels * (1 - strength) + (255 - pixels) * strength).astype(np.uint8)


@runway.command(
    "count",
    inputs={"steps": number(min=1, max=200, default=5), "pause": number(default=0.05)},
    outputs={"step": number, "trace": array(item_type=number)},
)
def count(model, inputs):
    trace = []
    for step in range(int(inputs["steps"])):
        time.sleep(inputs["pause"])
        trace.append(step * step)
        yield {"step": step + 1, "trace": trace}, (step + 1) / inputs["steps"]


@runway.command(
    "draw", inputs={"z": vector(length=8)}, outputs={"image": image(default_output_format="PNG")}
)
def draw(model, inputs):
    y, x = np.mgrid[0:64, 0:64] / 64
    z = inputs["z"]
    waves = [
        np.sin(6 * (z[3 * c % 8] * x + z[(3 * c + 1) % 8] * y) + z[(3 * c + 2) % 8])
        for c in range(3)
    ]
    return (127 + 120 * np.stack(waves, -1)).astype(np.uint8)


@runway.command(
    "speak",
    inputs={"prompt": text(max_length=100), "fail": boolean(default=False)},
    outputs={"text": text},
)
def speak(model, inputs):
    if inputs["fail"]:
        raise RuntimeError("nothing to say")
    return inputs["prompt"].upper()


@runway.command("used", inputs={"x": text}, outputs={"options": any})
def used(model, inputs):
    return {"options": model}


runway.run(model_options=START)
