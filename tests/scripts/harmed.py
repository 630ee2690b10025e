"""Commands whose calls must not, or need not, run side by side."""

import torch

import runway

NUMBER = {"inputs": {"seed": runway.number}, "outputs": {"y": runway.number}}


class Model:
    def __init__(self):
        self.network = torch.nn.Linear(1, 1).eval()
        self.careless = torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.Dropout(0.5)).train()
        self.last = None


@runway.setup
def setup():
    return Model()


@runway.command("keeps", **NUMBER)
def keeps(model, inputs):
    model.last = inputs["seed"]
    return model.network(torch.full((1, 1), float(model.last))).item()


@runway.command("plain", **NUMBER)
def plain(model, inputs):
    return inputs["seed"] * 2


@runway.command("trains", **NUMBER)
def trains(model, inputs):
    return model.careless(torch.full((1, 1), float(inputs["seed"]))).item()


if __name__ == "__main__":
    runway.run()
