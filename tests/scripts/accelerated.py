"""A network on a pretended accelerator: one run at a time, 10 ms and 0.2 ms an item."""

import threading
import time

import torch

import runway

accelerator = threading.Lock()


class Network(torch.nn.Module):
    def forward(self, x):
        with accelerator:
            time.sleep(0.010 + 0.0002 * len(x))
        print(f"network ran {len(x)} items")
        return x.cumsum(1)


@runway.setup
def setup():
    return Network().eval()


@runway.command("draw", inputs={"seed": runway.number}, outputs={"z": runway.array(runway.number)})
def draw(network, inputs):
    torch.manual_seed(int(inputs["seed"]))
    x = torch.rand(1, 8)
    y = network(x)
    return [round(value, 4) for value in (y + torch.rand(1, 8))[0].tolist()]


@runway.command("steps", inputs={"seed": runway.number}, outputs={"z": runway.number})
def steps(network, inputs):
    torch.manual_seed(int(inputs["seed"]))
    for _ in range(3):
        yield round(network(torch.rand(1, 8))[0, -1].item() + torch.rand(()).item(), 4)


@runway.command(
    "alone", inputs={"seed": runway.number}, outputs={"z": runway.number}, coalesce=False
)
def alone(network, inputs):
    return network(torch.full((1, 8), float(inputs["seed"])))[0, 0].item()


if __name__ == "__main__":
    runway.run()
