"""Endless drawn landscapes with exact label maps: what two of the examples are trained on.

Imported by their `train.py` and `make_pictures.py`; serving them needs nothing of this.
"""

import torch
from torch.nn import functional as F

LABELS = ("sky", "cloud", "sun", "mountain", "sea", "grass", "tree")
SKY, CLOUD, SUN, MOUNTAIN, SEA, GRASS, TREE = range(len(LABELS))

# Colours in 0..1 at noon and at dusk.
NOON = {
    SKY: (0.35, 0.60, 0.95),
    CLOUD: (0.95, 0.95, 0.97),
    SUN: (1.00, 0.97, 0.70),
    MOUNTAIN: (0.45, 0.45, 0.50),
    SEA: (0.10, 0.35, 0.60),
    GRASS: (0.30, 0.60, 0.20),
    TREE: (0.10, 0.35, 0.12),
}
DUSK = {
    SKY: (0.95, 0.50, 0.35),
    CLOUD: (0.95, 0.75, 0.70),
    SUN: (1.00, 0.70, 0.30),
    MOUNTAIN: (0.35, 0.25, 0.35),
    SEA: (0.35, 0.25, 0.40),
    GRASS: (0.35, 0.40, 0.15),
    TREE: (0.15, 0.20, 0.10),
}
# How much of the soft and of the fine noise a surface shows.
GRAIN = {CLOUD: (1, 0), MOUNTAIN: (1.6, 1), SEA: (0, 0.4), GRASS: (1, 1.6), TREE: (2, 1)}
TREES_MOST = 3


def draw(count, side, seed):
    """Pictures, their label maps and their light.

    Args:
        count: how many
        side: height and width in pixels
        seed: the same seed draws the same scenes

    Returns:
        (count, 3, side, side) float32 in 0..1; (count, side, side) int64 label ids;
        (count,) float32, 0 for dusk to 1 for noon
    """
    generator = torch.Generator().manual_seed(seed)
    labels = draw_labels(count, side, generator)
    light = torch.rand(count, 1, 1, 1, generator=generator)
    return paint(labels, light, generator), labels, light.flatten()


def draw_labels(count, side, generator):
    """From far to near: each surface covers what is behind it."""

    def between(low, high):
        return torch.rand(count, 1, 1, generator=generator) * (high - low) + low

    def ridge(knots, height):
        line = torch.randn(count, 1, 1, knots, generator=generator)
        return F.interpolate(line, (1, side), mode="bicubic")[:, 0] * height

    y = torch.linspace(0, 1, side)[None, :, None].expand(count, side, side)
    x = y.transpose(1, 2)
    labels = torch.full((count, side, side), SKY)
    labels[soft_noise(count, side, (4, 8, 16), generator) - 2 * y > between(0.1, 1.2)] = CLOUD
    sun_x, sun_y, radius = between(0.1, 0.9), between(0.05, 0.35), between(0.04, 0.1)
    labels[(x - sun_x) ** 2 + (y - sun_y) ** 2 < radius**2] = SUN
    horizon = between(0.4, 0.65)
    labels[y > horizon - between(0, 0.2) + ridge(9, 0.07)] = MOUNTAIN
    labels[y > horizon] = SEA
    labels[y > horizon + between(0, 0.35) + ridge(5, 0.08)] = GRASS
    for _ in range(TREES_MOST):
        tree_x, tree_y = between(0, 1), horizon + between(-0.02, 0.25)
        inside = ((x - tree_x) / 0.7) ** 2 + (y - tree_y) ** 2 < between(0.05, 0.16) ** 2
        labels[inside & (between(0, 1) < 0.6)] = TREE
    return labels


def paint(labels, light, generator):
    """Colours of the light, noise, waves on the sea, a brighter sky at the horizon."""
    count, side, _ = labels.shape
    y = torch.linspace(0, 1, side)[None, None, :, None]
    soft = soft_noise(count, side, (4, 8, 16, 32), generator)[:, None] * 0.06
    fine = torch.randn(count, 1, side, side, generator=generator) * 0.05
    picture = torch.zeros(count, 3, side, side)
    for label in range(len(LABELS)):
        noon, dusk = (torch.tensor(table[label])[None, :, None, None] for table in (NOON, DUSK))
        soft_part, fine_part = GRAIN.get(label, (0, 0))
        surface = noon * light + dusk * (1 - light) + soft * soft_part + fine * fine_part
        if label == SEA:
            surface = surface + torch.sin(y * 120 + soft * 30) * 0.05
        if label == SKY:
            surface = surface * (1 - 0.3 * y) + 0.25 * y
        picture = torch.where((labels == label)[:, None], surface, picture)
    return picture.clamp(0, 1)


def soft_noise(count, side, sizes, generator):
    """(count, side, side): smooth noise of several scales, the finer the weaker."""
    total = torch.zeros(count, 1, side, side)
    for octave, size in enumerate(sizes):
        coarse = torch.randn(count, 1, size, size, generator=generator)
        fine = F.interpolate(coarse, (side, side), mode="bicubic", align_corners=False)
        total += fine / 1.7**octave
    return total[:, 0]
