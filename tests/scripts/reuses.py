"""A model that writes every answer into the same memory, as code that must be quick often does."""

import numpy as np

import runway
from runway.data_types import array, image, number, vector

COUNT = 1000
N = {"n": number(min=0, max=255)}


@runway.setup
def setup():
    return {"numbers": np.zeros(COUNT), "pixels": np.zeros((64, 64, 3), np.uint8)}


@runway.command("fill", inputs=N, outputs={"numbers": vector(length=COUNT)})
def fill(model, inputs):
    model["numbers"][:] = inputs["n"]
    return model["numbers"]


@runway.command("few", inputs=N, outputs={"numbers": vector(length=0)})
def few(model, inputs):
    model["numbers"][:] = inputs["n"]
    return model["numbers"][:3]


@runway.command("rows", inputs=N, outputs={"numbers": array(vector(length=COUNT))})
def rows(model, inputs):
    model["numbers"][:] = inputs["n"]
    return [model["numbers"], model["numbers"]]


@runway.command("paint", inputs=N, outputs={"picture": image})
def paint(model, inputs):
    model["pixels"][:] = int(inputs["n"])
    return model["pixels"]


@runway.command("count", inputs=N, outputs={"numbers": vector(length=COUNT)})
def count(model, inputs):
    for n in range(int(inputs["n"])):
        model["numbers"][:] = n
        yield model["numbers"]


@runway.command(
    "together", inputs=N, outputs={"numbers": vector(length=COUNT)}, batch=True, max_batch_size=8
)
def together(model, batch):
    if len(batch) > 1 and any(inputs["n"] == 0 for inputs in batch):
        raise ValueError("run again one by one")
    answers = model.setdefault("answers", np.zeros((8, COUNT)))[: len(batch)]
    answers[:] = [[inputs["n"]] * COUNT for inputs in batch]
    return list(answers)


runway.run()
