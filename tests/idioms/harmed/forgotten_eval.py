"""Idiom: the setup forgets to call eval(), so that dropout stays on."""

import torch

import runway


class Double(torch.nn.Module):
    def forward(self, x):
        return x * 2


@runway.setup
def setup():
    return torch.nn.Sequential(torch.nn.Dropout(0.5), Double())  # no .eval()


@runway.command(
    "run", inputs={"x": runway.number}, outputs={"kept": runway.number, "y": runway.number}
)
def run(model, inputs):
    y = model(torch.zeros((1, 1))) + 2 * inputs["x"]
    return {"kept": inputs["x"], "y": y.item()}


if __name__ == "__main__":
    runway.run()
