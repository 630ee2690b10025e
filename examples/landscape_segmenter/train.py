"""Train the segmenter on drawn scenes and say how often it is right on scenes it never saw.

python train.py        # under two minutes on 2 cores; writes weights/segmenter.pth
"""

import argparse
import sys
import time
from pathlib import Path

import torch
from segmenter import LABELS, Segmenter
from torch.nn import functional as F

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "training"))

import scenes  # noqa: E402 - found by the line above

SIDE = 64
BATCH = 16
# The sun and trees are few pixels of many.
CLASS_WEIGHTS = (1, 1.5, 6, 1.5, 1, 1, 4)
UNSEEN = 10**6  # seeds from here on are for the test


def train(steps, seed):
    torch.manual_seed(seed)
    network = Segmenter()
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 6e-3, total_steps=steps)
    weights = torch.tensor(CLASS_WEIGHTS, dtype=torch.float)
    for step in range(steps):
        pictures, labels, _ = scenes.draw(BATCH, SIDE, step)
        loss = F.cross_entropy(network(pictures), labels, weight=weights)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return network.eval()


@torch.inference_mode()
def measure(network):
    """Part of the pixels that are right, and intersection over union by label, on unseen scenes."""
    pictures, labels, _ = scenes.draw(64, SIDE, UNSEEN)
    found = network(pictures).argmax(dim=1)
    unions = {}
    for number, label in enumerate(LABELS):
        both, either = (
            (found == number) & (labels == number),
            (found == number) | (labels == number),
        )
        unions[label] = both.sum().item() / either.sum().item()
    return (found == labels).float().mean().item(), unions


def main():
    parser = argparse.ArgumentParser(description="Train the segmenter.")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    flags = parser.parse_args()
    started = time.monotonic()
    network = train(flags.steps, flags.seed)
    right, unions = measure(network)
    size = sum(parameter.numel() for parameter in network.parameters())
    print(f"{size} parameters, {flags.steps} steps in {time.monotonic() - started:.0f} s")
    print(f"{right:.2%} of the pixels right;", ", ".join(f"{k} {v:.2f}" for k, v in unions.items()))
    (HERE / "weights").mkdir(exist_ok=True)
    torch.save(network.state_dict(), HERE / "weights" / "segmenter.pth")


if __name__ == "__main__":
    main()
