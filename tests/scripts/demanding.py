"""Needs an option; tells of its arguments."""

import sys

import runway
from runway.data_types import array, number, text

print("arguments", sys.argv[1:])


@runway.setup(options={"weights": array(number), "scale": number(default=1, max=4)})
def setup(options):
    print("set up with", options["weights"], options["scale"])
    return options


@runway.command("tell", inputs={"x": text}, outputs={"y": text})
def tell(model, inputs):
    return inputs["x"]


if __name__ == "__main__":
    runway.run(no_serve="--once" in sys.argv)
