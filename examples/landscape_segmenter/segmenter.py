"""A small network that names the surface each pixel of a drawn landscape belongs to.

After Chen et al. 2017, "Rethinking Atrous Convolution for Semantic Image Segmentation" (DeepLabV3): an
encoder, then the same features seen at several dilations side by side.
"""

import torch
from torch import nn
from torch.nn import functional as F

LABELS = ("sky", "cloud", "sun", "mountain", "sea", "grass", "tree")
DILATIONS = (1, 2, 4, 8)
STRIDE = 2  # sides must be a multiple of it


def conv(inputs, outputs, dilation=1):
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=dilation, dilation=dilation),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


class Segmenter(nn.Module):
    """(N, 3, H, W) RGB in 0..1 to (N, len(LABELS), H, W) scores."""

    def __init__(self):
        super().__init__()
        self.fine = conv(3, 16)
        self.coarse = nn.Sequential(nn.MaxPool2d(STRIDE), conv(16, 32), conv(32, 32))
        self.pyramid = nn.ModuleList([conv(32, 16, dilation) for dilation in DILATIONS])
        self.score = nn.Conv2d(16 * len(DILATIONS) + 16, len(LABELS), 1)

    def forward(self, x):
        fine = self.fine(x)
        coarse = self.coarse(fine)
        seen = torch.cat([branch(coarse) for branch in self.pyramid], dim=1)
        seen = F.interpolate(seen, scale_factor=STRIDE, mode="bilinear")
        return self.score(torch.cat([seen, fine], dim=1))


def load(path):
    """The network with the weights of a file, ready for inference on the CPU."""
    network = Segmenter()
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return network.eval().requires_grad_(False)
