"""Idiom: a model object is given its input, run, and asked for its output."""

import torch

import runway


class Double(torch.nn.Module):
    def forward(self, x):
        return x * 2


class Model:
    def __init__(self):
        self.network = Double().eval()
        self.real = self.fake = None

    def set_input(self, x):
        self.real = x

    def test(self):
        self.fake = self.network(torch.full((1, 1), float(self.real)))


@runway.setup
def setup():
    return Model()


@runway.command(
    "run", inputs={"x": runway.number}, outputs={"kept": runway.number, "y": runway.number}
)
def run(model, inputs):
    model.set_input(inputs["x"])
    model.test()
    return {"kept": model.real, "y": model.fake.item()}


if __name__ == "__main__":
    runway.run()
