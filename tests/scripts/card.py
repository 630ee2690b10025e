"""Prints, as it is imported, what its environment says about GPUs."""

import json
import os

import runway
from runway.data_types import text

NAMES = ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "GPU", "TF_FORCE_GPU_ALLOW_GROWTH")
print("environment", json.dumps({name: os.environ.get(name) for name in NAMES}))


@runway.command("card", inputs={"of": text}, outputs={"card": text})
def card(model, inputs):
    return os.environ["CUDA_VISIBLE_DEVICES"]


if __name__ == "__main__":
    runway.run()
