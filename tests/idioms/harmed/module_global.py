"""Idiom: the last input is a module global."""

import torch

import runway


class Double(torch.nn.Module):
    def forward(self, x):
        return x * 2


last = -1


@runway.setup
def setup():
    return Double().eval()


@runway.command(
    "run", inputs={"x": runway.number}, outputs={"kept": runway.number, "y": runway.number}
)
def run(model, inputs):
    global last  # noqa: PLW0603 - the idiom itself
    last = inputs["x"]
    y = model(torch.full((1, 1), float(last)))
    return {"kept": last, "y": y.item()}


if __name__ == "__main__":
    runway.run()
