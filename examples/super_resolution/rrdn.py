"""ESRGAN-thick x4: the large network of the family that `esrgan.py` has the smallest of.

Architecture: Wang et al. 2018, "ESRGAN: Enhanced Super-Resolution Generative Adversarial Networks", residual in
residual dense blocks. The weights are MIT-licensed; `runway-serve examples fetch super_resolution --with thick`.
"""

from pathlib import Path

import torch
from esrgan import SCALE, read_weights
from torch import nn
from torch.nn import functional as F

CHANNELS, GROWTH = 64, 32
GROUPS, BLOCKS, CONVS = 10, 3, 4  # blocks a group, growing convolutions a block
RESIDUE = 0.2  # how much of its result a block adds to its input


class DenseBlock(nn.Module):
    """Convolutions that each see all before them, fused, added to the input by a part."""

    def __init__(self):
        super().__init__()
        widths = [CHANNELS + GROWTH * number for number in range(CONVS)]
        self.grow = nn.ModuleList([nn.Conv2d(width, GROWTH, 3, padding=1) for width in widths])
        self.fuse = nn.Conv2d(CHANNELS + GROWTH * CONVS, CHANNELS, 3, padding=1)

    def forward(self, x):
        seen = x
        for conv in self.grow:
            seen = torch.cat([seen, F.relu(conv(seen))], dim=1)
        return x + RESIDUE * self.fuse(seen)


class Group(nn.Sequential):
    """Dense blocks in a row, added to the input by a part."""

    def __init__(self):
        super().__init__(*(DenseBlock() for _ in range(BLOCKS)))

    def forward(self, x):
        return x + RESIDUE * super().forward(x)


class EsrganThick(nn.Module):
    """(N, 3, H, W) RGB in 0..255 to (N, 3, 4 H, 4 W); results can overshoot 0..255."""

    # Its kernels reach 154 pixels far, but what lies beyond these changes no result by more than 1 of 255.
    reach = 16

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, CHANNELS, 3, padding=1)
        self.groups = nn.Sequential(*(Group() for _ in range(GROUPS)))
        self.smooth = nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1)
        self.subpixels = nn.Conv2d(CHANNELS, 3 * SCALE**2, 3, padding=1)
        self.last = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x):
        shallow = self.first(x)
        deep = shallow + self.smooth(self.groups(shallow))
        return self.last(F.pixel_shuffle(self.subpixels(deep), SCALE))


def published_names():
    """The weights' own names of the layers, by ours."""
    names = {
        "first": "Pre_blocks_conv",
        "smooth": "post_blocks_conv",
        "subpixels": "PreShuffle",
        "last": "SR",
    }
    for group in range(GROUPS):
        for block in range(BLOCKS):
            ours, theirs = f"groups.{group}.{block}", f"{group + 1}_{block + 1}"
            names[f"{ours}.fuse"] = f"LFF_{theirs}"
            names.update({f"{ours}.grow.{n}": f"F_{theirs}_{n + 1}" for n in range(CONVS)})
    return names


def load(folder):
    """The network with the weights of a folder, ready for inference on the CPU."""
    arrays = read_weights(Path(folder))
    state = {}
    for ours, theirs in published_names().items():
        state[f"{ours}.weight"] = arrays[f"{theirs}/kernel"]
        state[f"{ours}.bias"] = arrays[f"{theirs}/bias"]
    # TensorFlow keeps the colours of a subpixel together, PyTorch the subpixels of a colour
    for kind in ("weight", "bias"):
        parts = state[f"subpixels.{kind}"].unflatten(0, (SCALE**2, 3))
        state[f"subpixels.{kind}"] = parts.transpose(0, 1).flatten(0, 1)
    network = EsrganThick()
    network.load_state_dict(state)
    return network.eval().requires_grad_(False)
