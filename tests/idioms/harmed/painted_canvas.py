"""Idiom: one array is made in the setup, and painted on by every call."""

import numpy as np
import torch

import runway


class Double(torch.nn.Module):
    def forward(self, x):
        return x * 2


@runway.setup
def setup():
    return {"network": Double().eval(), "canvas": np.zeros(4)}


@runway.command(
    "run", inputs={"x": runway.number}, outputs={"kept": runway.number, "y": runway.number}
)
def run(model, inputs):
    model["canvas"][:] = inputs["x"]
    y = model["network"](torch.full((1, 1), float(inputs["x"])))
    return {"kept": model["canvas"][0], "y": y.item()}


if __name__ == "__main__":
    runway.run()
