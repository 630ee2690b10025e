"""Commands that between them have every data type as input and as output, and never fail on good ones."""

import runway
from runway.data_types import any as anything
from runway.data_types import (
    array,
    boolean,
    category,
    image,
    image_bounding_box,
    image_landmarks,
    image_point,
    number,
    segmentation,
    text,
    vector,
)

PLAIN = {
    "anything": anything,
    "words": array(item_type=text(max_length=5), max_length=4),
    "flag": boolean(default=True, description="On or off"),
    "choice": category(choices=["small", 2, None], default=2),
    "amount": number(min=0, max=10, default=2.5),
    "free": number,
    "caption": text(default="hello", min_length=2, max_length=40),
    "z": vector(default=[0, 1, 2, 3]),
    "spot": image_point,
    "box": image_bounding_box,
    "face": image_landmarks(3),
}
PICTURES = {"picture": image, "regions": segmentation(label_to_id={"sky": 0, "tree": 1})}


@runway.setup(options={"caption": text(max_length=9), "seed": number(default=1)})
def setup(options):
    return options["caption"]


@runway.command("plain", inputs=PLAIN, outputs=PLAIN, description="Gives back what it gets.")
def plain(model, inputs):
    return inputs


@runway.command("pictures {1}", inputs=PICTURES, outputs=PICTURES)
def pictures(model, inputs):
    return inputs


@runway.command("steps", inputs={"n": number(min=1, max=3)}, outputs={"i": number})
def steps(model, inputs):
    yield from range(int(inputs["n"]))


runway.run()
