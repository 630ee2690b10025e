"""Super-resolution: a picture comes back four times as wide and high."""

import os

import esrgan
import numpy as np
import rrdn
import torch
from PIL import Image

import runway

HERE = os.path.dirname(os.path.abspath(__file__))

options = {
    "network": runway.category(
        choices=["slim", "thick"],
        default="slim",
        description="thick is better and far slower; its weights are fetched apart.",
    ),
    "scale": runway.category(
        choices=["4", "3", "2"],
        default="4",
        description="How many times larger; 3 and 2 are the result of 4, reduced.",
    ),
    "tile": runway.number(
        default=256,
        min=32,
        max=1024,
        step=32,
        description="Side of the squares a picture is worked on in; smaller needs less memory.",
    ),
}


@runway.setup(options=options)
def setup(opts):
    device = "cuda" if torch.cuda.is_available() else "cpu"
    print(f"ESRGAN-{opts['network']} x{opts['scale']} on {device}")
    network = load_network(opts["network"]).to(device)
    return {"network": network, "scale": int(opts["scale"]), "tile": int(opts["tile"])}


def load_network(name):
    if name == "slim":
        return esrgan.load(os.path.join(HERE, "weights"))
    folder = os.path.join(HERE, "weights", "thick")
    if not os.path.isdir(folder):
        raise RuntimeError("run: runway-serve examples fetch super_resolution --with thick")
    return rrdn.load(folder)


@runway.command(
    "upscale",
    inputs={"image": runway.image(channels=3, description="A picture of any size.")},
    outputs={"image": runway.image(channels=3, default_output_format="PNG")},
    description="Enlarge a picture and sharpen it.",
)
def upscale(model, inputs):
    picture = inputs["image"]
    pixels = esrgan.enlarge(model["network"], np.array(picture), model["tile"])
    result = Image.fromarray(pixels)
    if model["scale"] < esrgan.SCALE:
        size = (picture.width * model["scale"], picture.height * model["scale"])
        result = result.resize(size, Image.LANCZOS)
    return {"image": result}


if __name__ == "__main__":
    runway.run()
