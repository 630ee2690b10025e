"""A small generator that paints a landscape from a map of labels and a style vector.

After Park et al. 2019, "Semantic Image Synthesis with Spatially-Adaptive Normalization" (SPADE): at each
resolution the label map decides, pixel by pixel, how the normalized features are scaled and shifted.
"""

import torch
from torch import nn
from torch.nn import functional as F

LABELS = ("sky", "cloud", "sun", "mountain", "sea", "grass", "tree")
STYLE = 8  # numbers in a style vector; the first turns dusk into noon
WIDTH = 48
REDUCTION = 8  # the first features have an eighth of the sides; sides must be a multiple of it


class Spade(nn.Module):
    """One residual step whose normalization is steered by the label map."""

    def __init__(self, channels):
        super().__init__()
        self.normalize = nn.BatchNorm2d(channels, affine=False)
        self.steer = nn.Sequential(
            nn.Conv2d(len(LABELS), 24, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(24, 2 * channels, 3, padding=1),
        )
        self.style = nn.Linear(STYLE, channels)
        self.grain = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x, labels, style, noise):
        small = F.interpolate(labels, x.shape[2:])
        scale, shift = self.steer(small).chunk(2, dim=1)
        steered = self.normalize(x) * (1 + scale) + shift
        steered = steered + self.grain * noise[:, :, : x.shape[2], : x.shape[3]]
        return x + self.conv(F.leaky_relu(steered, 0.2)) + self.style(style)[:, :, None, None]


class Painter(nn.Module):
    """(N, len(LABELS), H, W) one-hot labels, (N, STYLE), (N, 1, H, W) noise to (N, 3, H, W) RGB in 0..1."""

    def __init__(self):
        super().__init__()
        self.start = nn.Linear(STYLE, WIDTH)
        self.blocks = nn.ModuleList([Spade(WIDTH) for _ in range(4)])
        self.colour = nn.Conv2d(WIDTH, 3, 3, padding=1)

    def forward(self, labels, style, noise):
        height, width = (side // REDUCTION for side in labels.shape[2:])
        x = self.start(style)[:, :, None, None].expand(-1, -1, height, width)
        for index, block in enumerate(self.blocks):
            if index:
                x = F.interpolate(x, scale_factor=2)
            x = block(x, labels, style, noise)
        return torch.sigmoid(self.colour(F.leaky_relu(x, 0.2)))


def load(path):
    """The network with the weights of a file, ready for inference on the CPU."""
    network = Painter()
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return network.eval().requires_grad_(False)


def one_hot(labels):
    """(N, H, W) int64 ids to (N, len(LABELS), H, W) float32."""
    return F.one_hot(labels, len(LABELS)).permute(0, 3, 1, 2).float()
