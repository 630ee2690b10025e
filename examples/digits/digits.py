"""The decoder of a variational autoencoder: sixteen numbers become a handwritten digit.

Kingma & Welling 2013, "Auto-Encoding Variational Bayes". Serving needs the decoder only; `train.py` has
the encoder.
"""

import torch
from torch import nn

LATENT = 16
SIDE = 28


class Decoder(nn.Module):
    """(N, LATENT) to (N, SIDE, SIDE) ink in 0..1; before the sigmoid with `logits`."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(LATENT, 256),
            nn.ReLU(),
            nn.Linear(256, 512),
            nn.ReLU(),
            nn.Linear(512, SIDE * SIDE),
        )

    def logits(self, z):
        return self.layers(z).view(-1, SIDE, SIDE)

    def forward(self, z):
        return torch.sigmoid(self.logits(z))


def load(path):
    """The decoder with the weights of a file, ready for inference on the CPU."""
    decoder = Decoder()
    decoder.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return decoder.float().eval().requires_grad_(False)
