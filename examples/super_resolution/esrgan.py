"""ESRGAN-slim x4: a small residual dense network that enlarges a picture four times.

Architecture: Zhang et al. 2018, "Residual Dense Network for Image Super-Resolution", with the loss
of Wang et al. 2018, "ESRGAN". The weights are MIT-licensed, see `weights/LICENSE`.
"""

import json
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

SCALE = 4


class DenseBlock(nn.Module):
    """One convolution beside its input, fused by a 1x1 convolution, added to the input."""

    def __init__(self, channels, growth):
        super().__init__()
        self.grow = nn.Conv2d(channels, growth, 3, padding=1)
        self.fuse = nn.Conv2d(channels + growth, channels, 1)

    def forward(self, x):
        return x + self.fuse(torch.cat([x, F.relu(self.grow(x))], dim=1))


class EsrganSlim(nn.Module):
    """(N, 3, H, W) RGB in 0..255 to (N, 3, 4 H, 4 W); results can overshoot 0..255."""

    reach = (
        10  # input pixels around a pixel that can change its result: half of all kernels, added up
    )

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 64, 3, padding=1)
        self.second = nn.Conv2d(64, 64, 3, padding=1)
        self.block1 = DenseBlock(64, growth=4)
        self.block2 = DenseBlock(64, growth=4)
        self.fuse = nn.Conv2d(128, 64, 1)
        self.smooth = nn.Conv2d(64, 64, 3, padding=1)
        self.up1 = nn.Conv2d(64, 64, 5, padding=2)
        self.up2 = nn.Conv2d(64, 32, 3, padding=1)
        self.up3 = nn.Conv2d(32, 48, 3, padding=1)
        self.subpixels = nn.Conv2d(48, 3 * SCALE**2, 3, padding=1)

    def forward(self, x):
        shallow = self.first(x)
        dense1 = self.block1(self.second(shallow))
        dense2 = self.block2(dense1)
        deep = shallow + self.smooth(self.fuse(torch.cat([dense1, dense2], dim=1)))
        x = self.up3(F.relu(self.up2(F.relu(self.up1(deep)))))
        return F.pixel_shuffle(self.subpixels(x), SCALE)


# The names of the layers in the weights' own files.
LAYERS = {
    "first": "F_m1",
    "second": "F_0",
    "block1.grow": "F_1_1",
    "block1.fuse": "LFF_1",
    "block2.grow": "F_2_1",
    "block2.fuse": "LFF_2",
    "fuse": "GFF_1",
    "smooth": "GFF_2",
    "up1": "UPN1",
    "up2": "UPN2",
    "up3": "UPN3",
}


def load(folder):
    """The network with the weights of a folder, ready for inference on the CPU."""
    arrays = read_weights(Path(folder))
    state = {}
    for ours, theirs in LAYERS.items():
        state[f"{ours}.weight"] = arrays[f"{theirs}/kernel"]
        state[f"{ours}.bias"] = arrays[f"{theirs}/bias"]
    state["subpixels.weight"] = fold_upsampling(arrays["SR/kernel"])
    state["subpixels.bias"] = arrays["SR/bias"].repeat_interleave(SCALE**2)
    network = EsrganSlim()
    network.load_state_dict(state)
    return network.eval().requires_grad_(False)


@torch.inference_mode()
def enlarge(network, picture, tile):
    """A picture four times as wide and high.

    The work is done in square tiles, each with `network.reach` pixels of its neighbours around it: so the
    result has no seams, and memory does not grow with the picture.

    Args:
        picture: (H, W, 3) uint8 RGB
        tile: side of a tile in input pixels

    Returns:
        (4 H, 4 W, 3) uint8
    """
    device, reach = next(network.parameters()).device, network.reach
    height, width, _ = picture.shape
    margin = ((reach, reach), (reach, reach), (0, 0))
    padded = np.pad(picture, margin, mode="edge")  # zeros would darken the border
    result = np.empty((height * SCALE, width * SCALE, 3), np.uint8)
    for top in range(0, height, tile):
        for left in range(0, width, tile):
            part = padded[top : top + tile + 2 * reach, left : left + tile + 2 * reach]
            x = torch.from_numpy(part.copy()).to(device).permute(2, 0, 1)[None].float()
            cut = slice(reach * SCALE, -reach * SCALE)
            y = network(x)[0, :, cut, cut].clamp(0, 255).round().byte()
            rows, columns = y.shape[1:]
            y0, x0 = top * SCALE, left * SCALE
            result[y0 : y0 + rows, x0 : x0 + columns] = y.permute(1, 2, 0).cpu().numpy()
    return result


def read_weights(folder):
    """Tensors by name from a TensorFlow.js layers model; kernels as (out, in, height, width)."""
    group = json.loads((folder / "model.json").read_text())["weightsManifest"][0]
    raw = np.concatenate([np.fromfile(folder / path, "<f4") for path in group["paths"]])
    sizes = [int(np.prod(weight["shape"])) for weight in group["weights"]]
    parts = np.split(raw, np.cumsum(sizes)[:-1])
    arrays = {}
    for weight, part in zip(group["weights"], parts, strict=True):
        tensor = torch.from_numpy(part.reshape(weight["shape"]))
        arrays[weight["name"]] = tensor.permute(3, 2, 0, 1) if tensor.ndim == 4 else tensor
    return arrays


def fold_upsampling(kernel):
    """The kernel before a pixel shuffle that equals `kernel` after nearest-neighbour upsampling.

    The weights were trained as "enlarge, then convolve": nine taps over 48 channels for each large
    pixel, most of them on copies of one small pixel. Adding the taps that meet the same small pixel
    gives the same numbers with a sixteenth of the memory.

    Args:
        kernel: (out, in, 3, 3)

    Returns:
        (out * SCALE**2, in, 3, 3)
    """
    outputs, inputs = kernel.shape[:2]
    folded = kernel.new_zeros(outputs, SCALE, SCALE, inputs, 3, 3)
    for y in range(SCALE):
        for x in range(SCALE):
            for dy in range(3):
                for dx in range(3):
                    row, column = (y + dy - 1) // SCALE + 1, (x + dx - 1) // SCALE + 1
                    folded[:, y, x, :, row, column] += kernel[:, :, dy, dx]
    return folded.reshape(outputs * SCALE**2, inputs, 3, 3)
