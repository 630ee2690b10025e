"""Train the painter on drawn scenes.

    python train.py        # some minutes on 2 cores; writes weights/painter.pth

The painter learns the colours from the pictures (L1) and the grain from a small critic (hinge loss), as
SPADE does, but without a pretrained network to compare features.
"""

import argparse
import sys
import time
from pathlib import Path

import torch
from painter import LABELS, STYLE, Painter, one_hot
from torch import nn
from torch.nn import functional as F

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "training"))

import scenes  # noqa: E402 - found by the line above

SIDE = 64
BATCH = 8
LIKENESS = 10  # weight of L1 beside the critic
CRITIC = 0.3
FIRST_SEED = 2 * 10**6  # other scenes than the segmenter's


def make_critic():
    return nn.Sequential(
        nn.Conv2d(3 + len(LABELS), 24, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(24, 48, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(48, 1, 3, 1, 1),
    )


def draw_batch(step):
    """Pictures, one-hot labels, styles whose first number is the light (-2 dusk, 2 noon), noise."""
    pictures, labels, light = scenes.draw(BATCH, SIDE, FIRST_SEED + step)
    styles = torch.randn(BATCH, STYLE)
    styles[:, 0] = light * 4 - 2
    return pictures, one_hot(labels), styles, torch.randn(BATCH, 1, SIDE, SIDE)


def train(steps, seed):
    torch.manual_seed(seed)
    network, critic = Painter(), make_critic()
    painting = torch.optim.Adam(network.parameters(), lr=2e-3, betas=(0.5, 0.9))
    judging = torch.optim.Adam(critic.parameters(), lr=1e-3, betas=(0.5, 0.9))
    for step in range(steps):
        pictures, labels, styles, noise = draw_batch(step)
        painted = network(labels, styles, noise)

        real = critic(torch.cat([pictures, labels], dim=1))
        made = critic(torch.cat([painted.detach(), labels], dim=1))
        critic_loss = F.relu(1 - real).mean() + F.relu(1 + made).mean()
        judging.zero_grad()
        critic_loss.backward()
        judging.step()

        likeness = F.l1_loss(painted, pictures)
        loss = LIKENESS * likeness - CRITIC * critic(torch.cat([painted, labels], dim=1)).mean()
        painting.zero_grad()
        loss.backward()
        painting.step()
        if step % 100 == 0:
            print(f"step {step}: mean difference {likeness.item():.3f}", flush=True)
    return network.eval()


def main():
    parser = argparse.ArgumentParser(description="Train the painter.")
    parser.add_argument("--steps", type=int, default=700)
    parser.add_argument("--seed", type=int, default=0)
    flags = parser.parse_args()
    torch.set_num_threads(1)  # sums in another order would give other weights
    started = time.monotonic()
    network = train(flags.steps, flags.seed)
    size = sum(parameter.numel() for parameter in network.parameters())
    print(f"{size} parameters, {flags.steps} steps in {time.monotonic() - started:.0f} s")
    (HERE / "weights").mkdir(exist_ok=True)
    torch.save(network.state_dict(), HERE / "weights" / "painter.pth")


if __name__ == "__main__":
    main()
