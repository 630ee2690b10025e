"""A tour of the workspace: pictures computed from a map, a latent point or a photograph, with numpy alone.

There is nothing to download and nothing random: the same input gives the same picture.
"""

import numpy as np
from PIL import Image

import runway
from runway.data_types import (
    any,
    boolean,
    category,
    image,
    image_bounding_box,
    image_landmarks,
    image_point,
    number,
    segmentation,
    vector,
)

SIZE = 384
LAND = {"sky": 0, "mountain": 1, "meadow": 2, "water": 3, "forest": 4}
COLOURS = {
    "sky": [154, 205, 240],
    "mountain": [132, 122, 134],
    "meadow": [124, 176, 92],
    "water": [58, 120, 168],
    "forest": [44, 92, 62],
}
LIGHTS = {"noon": (1.0, 1.0, 1.0), "dusk": (1.15, 0.82, 0.72), "night": (0.34, 0.42, 0.66)}
PALETTES = {
    "coral": [(255, 94, 91), (255, 237, 200), (0, 150, 160), (20, 33, 61)],
    "orchid": [(120, 60, 200), (255, 170, 220), (250, 240, 255), (40, 20, 80)],
    "moss": [(60, 110, 60), (210, 220, 120), (250, 250, 230), (20, 40, 30)],
}


def smooth_noise(shape, cell, seed):
    """(h, w) in 0..1, changing over `cell` pixels."""
    height, width = shape
    grid = np.random.default_rng(seed).random((height // cell + 2, width // cell + 2))
    picture = Image.fromarray((grid * 255).astype(np.uint8))
    return np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC)) / 255


def clouded(shape, seed):
    """Noise of several scales, as clouds and rocks have it."""
    return (
        sum(smooth_noise(shape, 96 >> octave, seed + octave) / 2**octave for octave in range(4))
        / 1.875
    )


def gradient_of(grey):
    """(h, w) strength of the edges, away from the rim."""
    down, right = np.gradient(grey.astype(np.float32))
    strength = np.hypot(down, right)
    strength[[0, -1], :] = strength[:, [0, -1]] = 0
    return strength


def finished(model, picture):
    """The picture in the model's light, with its grain."""
    pixels = picture * LIGHTS[model["light"]]
    if model["grain"]:
        pixels = pixels + np.random.default_rng(0).normal(0, 7, pixels.shape[:2])[..., None]
    return np.clip(pixels, 0, 255).astype(np.uint8)


@runway.setup(
    options={
        "light": category(
            choices=list(LIGHTS), default="noon", description="The hour of every picture"
        ),
        "size": number(
            default=384, min=128, max=768, step=64, description="Side of a flower in pixels"
        ),
        "grain": boolean(default=False, description="As film has it"),
    }
)
def setup(options):
    return options


@runway.command(
    "landscape",
    inputs={
        "map": segmentation(
            label_to_id=LAND,
            label_to_color=COLOURS,
            width=SIZE,
            height=256,
            description="What lies where",
        ),
        "roughness": number(
            default=0.6, min=0, max=1, step=0.05, description="How rocky and cloudy it is"
        ),
        "seed": number(
            default=3, min=0, max=100, step=1, description="Another seed, another weather"
        ),
        "mist": boolean(default=True, description="Pale towards the horizon"),
    },
    outputs={"picture": image},
    description="Paint a map of the land and get a view of it.",
)
def landscape(model, inputs):
    ids = np.asarray(inputs["map"])
    noise = clouded(ids.shape, int(inputs["seed"]))
    base = np.array([COLOURS[label] for label in LAND], np.float32)[ids]
    shade = 1 + inputs["roughness"] * (noise - 0.5)[..., None] * np.array([1.1, 1.0, 0.9])
    picture = base * shade
    ripples = np.sin(np.arange(ids.shape[0])[:, None] / 2.5 + 9 * noise) * 10 * inputs["roughness"]
    picture[ids == LAND["water"]] += ripples[ids == LAND["water"]][:, None]
    if inputs["mist"]:
        height = np.linspace(0, 1, ids.shape[0])[:, None, None]
        haze = 0.45 * np.exp(-((height - 0.45) ** 2) / 0.03)
        picture = picture * (1 - haze) + np.array([236, 240, 244]) * haze
    return finished(model, picture)


@runway.command(
    "bloom",
    inputs={
        "z": vector(length=16, description="A point in the space of all flowers"),
        "petals": number(default=7, min=3, max=16, step=1),
        "palette": category(choices=list(PALETTES), default="coral"),
    },
    outputs={"flower": image},
    description="Walk through a space of flowers.",
)
def bloom(model, inputs):
    z = np.asarray(inputs["z"], np.float32)
    y, x = np.mgrid[-1 : 1 : model["size"] * 1j, -1 : 1 : model["size"] * 1j]
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    petals = int(inputs["petals"])
    wave = sum(z[k] * np.cos(petals * (k % 3 + 1) * angle + z[k + 4]) for k in range(4))
    rings = np.cos((5 + z[8]) * radius + 0.6 * wave + z[9])
    rim = 0.78 + 0.09 * np.tanh(wave)
    tone = np.clip((rings + 1) / 2 * 0.8 + 0.25 * radius / rim, 0, 1)
    colours = np.array(PALETTES[inputs["palette"]], np.float32)
    place = tone * (len(colours) - 2)
    low = np.floor(place).astype(int)
    flower = colours[low] + (colours[low + 1] - colours[low]) * (place - low)[..., None]
    inside = 1 / (1 + np.exp((radius - rim) * 90))[..., None]
    return finished(model, flower * inside + colours[-1] * (1 - inside))


@runway.command(
    "look",
    inputs={
        "photo": image(description="A photograph"),
        "detail": number(default=0.9, min=0.5, max=0.99, step=0.01),
    },
    outputs={
        "busiest": image_bounding_box(description="Where most of the detail is"),
        "brightest": image_point(description="The lightest place"),
        "axes": image_landmarks(
            length=3,
            labels=["left third", "centre of detail", "right third"],
            connections=[["left third", "centre of detail"], ["centre of detail", "right third"]],
        ),
        "columns": vector(length=64, description="Mean light of 64 columns"),
        "facts": any(description="Size and means"),
    },
    description="Where the detail of a photograph is.",
)
def look(model, inputs):
    photo = inputs["photo"]
    grey = np.asarray(photo.convert("L").resize((256, 256)), np.float32)
    weight = gradient_of(grey)
    weight = weight / max(float(weight.sum()), 1e-6)
    margin = (1 - inputs["detail"]) / 2
    spans = [
        np.interp([margin, 1 - margin], np.cumsum(weight.sum(axis)), np.linspace(0, 1, 256))
        for axis in (0, 1)
    ]
    (left, right), (top, bottom) = spans
    rows, columns = np.mgrid[0:1:256j, 0:1:256j]
    centre = [float((weight * columns).sum()), float((weight * rows).sum())]
    soft = np.asarray(photo.convert("L").resize((32, 32)), np.float32)
    at = np.unravel_index(int(soft.argmax()), soft.shape)
    return {
        "busiest": [left, top, max(right, left + 0.01), max(bottom, top + 0.01)],
        "brightest": [(at[1] + 0.5) / 32, (at[0] + 0.5) / 32],
        "axes": [
            [left + (right - left) / 6, centre[1]],
            centre,
            [right - (right - left) / 6, centre[1]],
        ],
        "columns": np.asarray(photo.convert("L").resize((64, 1), Image.Resampling.BOX), np.float32)[
            0
        ]
        / 255,
        "facts": {"size": list(photo.size), "mean light": round(float(grey.mean()) / 255, 3)},
    }


@runway.command(
    "etch",
    inputs={
        "photo": image(width=SIZE, height=SIZE),
        "steps": number(default=24, min=1, max=60, step=1),
    },
    outputs={"etching": image},
    description="Draws a photograph line by line, and shows every step.",
)
def etch(model, inputs):
    grey = np.asarray(inputs["photo"].convert("L"), np.float32)
    strength = gradient_of(grey)
    paper = np.full(grey.shape, 244.0, np.float32)
    steps = int(inputs["steps"])
    y, x = np.mgrid[0 : grey.shape[0], 0 : grey.shape[1]]
    for step in range(steps):
        angle = np.pi * step * 0.382
        hatch = (x * np.cos(angle) + y * np.sin(angle)) % 6 < 1.1
        level = 255 * (1 - (step + 1) / steps)
        paper = np.where(hatch & (grey < level), paper * 0.8, paper)
        ink = np.clip(paper - strength * (step + 1) / steps * 1.6, 0, 255)
        yield finished(model, np.stack([ink, ink * 0.985, ink * 0.95], -1)), (step + 1) / steps


if __name__ == "__main__":
    runway.run()
