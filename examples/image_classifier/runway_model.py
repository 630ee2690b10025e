"""Say what is in a picture: one of the thousand kinds of things of ImageNet."""

import os

import efficientnet
import numpy as np
import torch
from PIL import Image, ImageOps

import runway

HERE = os.path.dirname(os.path.abspath(__file__))

options = {
    "checkpoint": runway.file(
        extension=".pth",
        default=os.path.join(HERE, "weights", "efficientnet-lite0.pth"),
        description="Weights; `runway-serve examples fetch image_classifier` puts them there.",
    )
}


@runway.setup(options=options)
def setup(opts):
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with open(os.path.join(HERE, "labels.txt")) as lines:
        labels = lines.read().splitlines()
    return {"network": efficientnet.load(opts["checkpoint"]).to(device), "labels": labels}


@runway.command(
    "classify",
    inputs={
        "image": runway.image(channels=3, description="A photograph."),
        "count": runway.number(default=5, min=1, max=20, step=1, description="Labels to give."),
    },
    outputs={
        "label": runway.text(description="The likeliest."),
        "labels": runway.array(item_type=runway.text, description="The likeliest first."),
        "confidences": runway.array(item_type=runway.number(min=0, max=1)),
    },
    description="Name what the middle of a picture shows.",
)
@torch.inference_mode()
def classify(model, inputs):
    network, names = model["network"], model["labels"]
    square = ImageOps.fit(inputs["image"], (efficientnet.SIDE,) * 2, Image.BICUBIC)
    pixels = torch.from_numpy(np.array(square, np.float32) / 255).permute(2, 0, 1)[None]
    scores = network(pixels.to(next(network.parameters()).device))[0].softmax(dim=0)
    confidences, numbers = scores.topk(int(inputs["count"]))
    labels = [names[number] for number in numbers.tolist()]
    return {"label": labels[0], "labels": labels, "confidences": confidences.tolist()}


if __name__ == "__main__":
    runway.run()
