"""Idiom: inputs are collected in a list, of which the last is used."""

import torch

import runway


class Double(torch.nn.Module):
    def forward(self, x):
        return x * 2


history = []


@runway.setup
def setup():
    return Double().eval()


@runway.command(
    "run", inputs={"x": runway.number}, outputs={"kept": runway.number, "y": runway.number}
)
def run(model, inputs):
    history.append(inputs["x"])
    y = model(torch.full((1, 1), float(inputs["x"])))
    return {"kept": history[-1], "y": y.item()}


if __name__ == "__main__":
    runway.run()
