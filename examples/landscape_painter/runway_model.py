"""Paint a map of sky, mountains and sea, and get the landscape: label map to picture."""

import os

import numpy as np
import painter
import torch
from PIL import Image

import runway

HERE = os.path.dirname(os.path.abspath(__file__))
LARGEST = 512  # pixels; larger maps are reduced first

label_to_id = {label: number for number, label in enumerate(painter.LABELS)}
label_to_color = {
    "sky": [102, 153, 255],
    "cloud": [255, 255, 255],
    "sun": [255, 221, 0],
    "mountain": [128, 128, 128],
    "sea": [0, 51, 153],
    "grass": [0, 204, 51],
    "tree": [0, 77, 26],
}
options = {
    "checkpoint": runway.file(
        extension=".pth",
        default=os.path.join(HERE, "weights", "painter.pth"),
        description="Weights that train.py wrote.",
    )
}
paint_inputs = {
    "map": runway.segmentation(
        label_to_id=label_to_id,
        label_to_color=label_to_color,
        default_label="sky",
        description="What is where.",
        width=128,
        height=128,
    ),
    "style": runway.vector(
        length=painter.STYLE, description="The first number is the light, -2 dusk to 2 noon."
    ),
    "seed": runway.number(default=0, min=0, max=9999, step=1, description="Another grain."),
}


@runway.setup(options=options)
def setup(opts):
    device = "cuda" if torch.cuda.is_available() else "cpu"
    print(f"painter from {opts['checkpoint']} on {device}")
    return painter.load(opts["checkpoint"]).to(device)


@runway.command(
    "paint",
    inputs=paint_inputs,
    outputs={"image": runway.image(channels=3, default_output_format="PNG")},
    description="Paint the landscape of a label map.",
)
@torch.inference_mode()
def paint(model, inputs):
    device = next(model.parameters()).device
    size = inputs["map"].size
    labels = np.array(inputs["map"].resize(fitting(size), Image.NEAREST))
    style = torch.from_numpy(np.array(inputs["style"], np.float32))[None]
    generator = torch.Generator().manual_seed(int(inputs["seed"]))
    noise = torch.randn(1, 1, *labels.shape, generator=generator)
    hot = painter.one_hot(torch.from_numpy(labels).long()[None])
    picture = model(hot.to(device), style.to(device), noise.to(device))[0]
    pixels = (picture * 255).round().byte().permute(1, 2, 0).cpu().numpy()
    return {"image": Image.fromarray(pixels).resize(size, Image.BICUBIC)}


def fitting(size):
    """The nearest size the network takes: no side above LARGEST, each a multiple of REDUCTION."""
    scale = min(1, LARGEST / max(size))
    step = painter.REDUCTION
    return tuple(max(step, round(side * scale / step) * step) for side in size)


if __name__ == "__main__":
    runway.run()
