"""Name the surface each pixel of a landscape belongs to: as a mask, an overlay, or a list."""

import os

import numpy as np
import segmenter
import torch
from PIL import Image

import runway

HERE = os.path.dirname(os.path.abspath(__file__))
LARGEST = 512  # pixels; larger pictures are reduced first

label_to_id = {label: number for number, label in enumerate(segmenter.LABELS)}
label_to_color = {
    "sky": [102, 153, 255],
    "cloud": [255, 255, 255],
    "sun": [255, 221, 0],
    "mountain": [128, 128, 128],
    "sea": [0, 51, 153],
    "grass": [0, 204, 51],
    "tree": [0, 77, 26],
}
palette = np.array([label_to_color[label] for label in segmenter.LABELS], np.uint8)
picture_input = {"image": runway.image(channels=3, description="A drawn landscape.")}
overlay_inputs = {
    **picture_input,
    "opacity": runway.number(default=0.5, min=0, max=1, step=0.05, description="Of the colours."),
}
labels_inputs = {
    **picture_input,
    "least": runway.number(
        default=0.01, min=0, max=1, step=0.01, description="Part of the picture a label must cover."
    ),
}


@runway.setup
def setup():
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return segmenter.load(os.path.join(HERE, "weights", "segmenter.pth")).to(device)


@runway.command(
    "mask",
    inputs=picture_input,
    outputs={"mask": runway.segmentation(label_to_id=label_to_id, label_to_color=label_to_color)},
    description="A label for each pixel.",
)
def mask(model, inputs):
    return {"mask": find_labels(model, inputs["image"])}


@runway.command(
    "overlay",
    inputs=overlay_inputs,
    outputs={"image": runway.image(channels=3)},
    description="The picture with the labels' colours over it.",
)
def overlay(model, inputs):
    colours = Image.fromarray(palette[np.array(find_labels(model, inputs["image"]))])
    return {"image": Image.blend(inputs["image"], colours, inputs["opacity"])}


@runway.command(
    "labels",
    inputs=labels_inputs,
    outputs={"labels": runway.array(item_type=runway.text)},
    description="What is in the picture, the largest first.",
)
def labels(model, inputs):
    found = np.array(find_labels(model, inputs["image"]))
    parts = np.bincount(found.ravel(), minlength=len(segmenter.LABELS)) / found.size
    ranked = np.argsort(-parts, kind="stable")
    return {"labels": [segmenter.LABELS[n] for n in ranked if parts[n] >= inputs["least"] > 0]}


@torch.inference_mode()
def find_labels(model, picture):
    """Label ids of a picture, as an L image of its size."""
    pixels = np.array(picture.resize(fitting(picture.size), Image.BILINEAR), np.float32) / 255
    x = torch.from_numpy(pixels).permute(2, 0, 1)[None].to(next(model.parameters()).device)
    found = model(x)[0].argmax(dim=0).byte().cpu().numpy()
    return Image.fromarray(found).resize(picture.size, Image.NEAREST)


def fitting(size):
    """The nearest size the network takes: no side above LARGEST, each a multiple of STRIDE."""
    scale = min(1, LARGEST / max(size))
    step = segmenter.STRIDE
    return tuple(max(step, round(side * scale / step) * step) for side in size)


if __name__ == "__main__":
    runway.run()
