"""Sixteen numbers become a handwritten digit: walk through them, and one digit turns into another."""

import os

import digits
import numpy as np
import torch
from PIL import Image

import runway

HERE = os.path.dirname(os.path.abspath(__file__))

options = {
    "checkpoint": runway.file(
        extension=".pth",
        default=os.path.join(HERE, "weights", "digits.pth"),
        description="Weights that train.py wrote.",
    )
}
generate_inputs = {
    "z": runway.vector(length=digits.LATENT, description="A place in the latent space."),
    "truncation": runway.number(
        default=0.8,
        min=0,
        max=1.5,
        step=0.05,
        description="How far from the average digit: less is clearer, more is wilder.",
    ),
    "size": runway.number(
        default=280, min=28, max=1120, step=28, description="Side of the picture in pixels."
    ),
}


@runway.setup(options=options)
def setup(opts):
    device = "cuda" if torch.cuda.is_available() else "cpu"
    print(f"digits from {opts['checkpoint']} on {device}")
    return digits.load(opts["checkpoint"]).to(device)


@runway.command(
    "generate",
    inputs=generate_inputs,
    outputs={"image": runway.image(channels=1, default_output_format="PNG")},
    description="Draw the digit of a vector.",
)
@torch.inference_mode()
def generate(model, inputs):
    z = torch.as_tensor(np.array(inputs["z"], np.float32)[None])
    ink = model((z * inputs["truncation"]).to(next(model.parameters()).device))[0]
    picture = Image.fromarray((ink.cpu().numpy() * 255).round().astype(np.uint8))
    return {"image": picture.resize((int(inputs["size"]),) * 2, Image.BICUBIC)}


if __name__ == "__main__":
    runway.run()
