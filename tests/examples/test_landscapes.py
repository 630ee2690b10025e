"""The landscape examples: drawn scenes that neither was trained on, painted and named."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from tests.examples.exhibition import (
    answer,
    exhibit,
    is_same_from_both_workers,
    load_module,
    pixels,
    refusal,
    to_data_uri,
)

pytest.importorskip("torch", reason="the examples are PyTorch models")
pytestmark = pytest.mark.torch
UNSEEN = 5_000_000  # seeds that no training uses
SKY, CLOUD, SUN, MOUNTAIN, SEA, GRASS, TREE = range(7)
NOON, DUSK = ([light, *[0.0] * 7] for light in (2.0, -2.0))


@pytest.fixture(scope="module")
def scenes():
    return load_module("training", "scenes")


@pytest.fixture(scope="module")
def scene(scenes):
    """Pictures and label maps of four scenes, (4, 64, 64, 3) uint8 and (4, 64, 64)."""
    pictures, labels, _ = scenes.draw(4, 64, UNSEEN)
    return (pictures.permute(0, 2, 3, 1).numpy() * 255).astype(np.uint8), labels.numpy()


@pytest.fixture(scope="module")
def painter():
    with exhibit("landscape_painter") as served:
        yield served


@pytest.fixture(scope="module")
def segmenter():
    with exhibit("landscape_segmenter") as served:
        yield served


def id_map(labels: np.ndarray) -> str:
    return to_data_uri(Image.fromarray(labels.astype(np.uint8)))


def paint(served, labels, style):
    return pixels(answer(served, "paint", map=id_map(labels), style=style)["image"])


def test_each_surface_is_painted_near_the_colour_it_has_in_drawn_scenes(painter, scenes, scene):
    for labels in scene[1]:
        for style, table in ((NOON, scenes.NOON), (DUSK, scenes.DUSK)):
            painted = paint(painter, labels, style)

            for label in (SKY, SEA, GRASS):
                inside = labels == label
                if inside.mean() > 0.05:
                    wanted = np.array(table[label]) * 255
                    assert np.abs(painted[inside].mean(axis=0) - wanted).max() < 45


def test_the_light_turns_the_whole_picture(painter, scene):
    labels = scene[1][0]
    sky = labels == SKY

    noon, dusk = paint(painter, labels, NOON), paint(painter, labels, DUSK)

    assert noon[sky][:, 2].mean() > noon[sky][:, 0].mean() + 60, "a blue sky"
    assert dusk[sky][:, 0].mean() > dusk[sky][:, 2].mean() + 60, "a red sky"


def test_maps_of_any_size_come_back_in_their_size(painter):
    for size in ((90, 50), (1, 1), (700, 30)):
        drawn = to_data_uri(Image.new("RGB", size, (0, 51, 153)))

        painted = pixels(answer(painter, "paint", map=drawn, style=NOON)["image"])

        assert painted.shape == (size[1], size[0], 3)


def test_painter_answers_alike_from_both_workers_and_refuses_short_styles(painter, scene):
    inputs = {"map": id_map(scene[1][0]), "style": NOON, "seed": 3}

    assert is_same_from_both_workers(painter, "paint", **inputs)
    assert "8" in refusal(painter, "paint", **{**inputs, "style": [0.0]})


def test_masks_are_right_on_scenes_never_seen(segmenter, scene):
    meta = segmenter.get("/mask").json()
    palette = np.array(list(meta["outputs"][0]["labelToColor"].values()))

    for picture, labels in zip(*scene, strict=True):
        sent = to_data_uri(Image.fromarray(picture))
        mask = pixels(answer(segmenter, "mask", image=sent)["mask"])

        assert (mask == palette[labels]).all(axis=-1).mean() > 0.98


def test_labels_are_those_of_the_scene_the_largest_first(segmenter, scenes, scene):
    for picture, labels in zip(*scene, strict=True):
        parts = np.bincount(labels.ravel(), minlength=7) / labels.size
        # parts near the limit or near each other may come out either way
        sure = [n for n in np.argsort(-parts) if parts[n] > 0.1]

        found = answer(segmenter, "labels", image=to_data_uri(Image.fromarray(picture)), least=0.05)

        assert set(found["labels"]) >= {scenes.LABELS[n] for n in sure}
        assert found["labels"][0] == scenes.LABELS[sure[0]]


def test_overlay_goes_from_the_picture_to_the_colours(segmenter, scene):
    sent = to_data_uri(Image.fromarray(scene[0][0]))
    mask = pixels(answer(segmenter, "mask", image=sent)["mask"])
    clear, half, full = (
        pixels(answer(segmenter, "overlay", image=sent, opacity=opacity)["image"])
        for opacity in (0, 0.5, 1)
    )

    assert np.abs(clear - scene[0][0]).mean() < 12, "JPEG loses a little"
    assert np.abs(full - mask).mean() < 12
    assert np.abs(half - (clear + full) / 2).mean() < 8


def test_segmenter_answers_alike_from_both_workers_at_any_size(segmenter):
    for size in ((1, 1), (51, 33), (600, 20)):
        sent = to_data_uri(Image.new("RGB", size, "skyblue"))

        assert pixels(answer(segmenter, "mask", image=sent)["mask"]).shape == (size[1], size[0], 3)
        assert is_same_from_both_workers(segmenter, "labels", image=sent)
