"""Idiom: the input goes into a file of a fixed name, from which it is read again after the network."""

from pathlib import Path

import torch

import runway


class Double(torch.nn.Module):
    def forward(self, x):
        return x * 2


@runway.setup
def setup():
    return Double().eval()


@runway.command(
    "run", inputs={"x": runway.number}, outputs={"kept": runway.number, "y": runway.number}
)
def run(model, inputs):
    Path("input.txt").write_text(str(inputs["x"]))
    y = model(torch.full((1, 1), float(inputs["x"])))
    return {"kept": int(Path("input.txt").read_text()), "y": y.item()}


if __name__ == "__main__":
    runway.run()
