"""The face mesh, a TensorFlow 1 script: its points lie on the face, none are found where there is no face.

Runs where TensorFlow is: in this environment, or in that of the interpreter that PYTHON_TENSORFLOW names.
"""

from __future__ import annotations

import importlib.util
import os
import sys

import numpy as np
import pytest
from PIL import Image

from tests.examples.exhibition import (
    answer,
    exhibit,
    is_same_from_both_workers,
    photograph,
    pixels,
    to_data_uri,
)

OTHER_PYTHON = os.environ.get("PYTHON_TENSORFLOW")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        OTHER_PYTHON is None and importlib.util.find_spec("tensorflow") is None,
        reason="needs TensorFlow, here or where PYTHON_TENSORFLOW says",
    ),
]
# Of the photograph, by eye: left, top, right, bottom in pixels.
FACE = (170, 60, 285, 190)
NOSE = (224, 130)
NOSE_TIP, CHIN, FOREHEAD, LEFT_CHEEK, RIGHT_CHEEK = 1, 152, 10, 234, 454


@pytest.fixture(scope="module")
def mesh():
    with exhibit("face_mesh", OTHER_PYTHON or sys.executable) as served:
        yield served


@pytest.fixture(scope="module")
def found(mesh):
    return answer(mesh, "find_landmarks", image=to_data_uri(photograph("astronaut")))


def test_points_lie_in_the_face(found):
    points = np.array(found["landmarks"]) * 512
    left, top, right, bottom = FACE

    assert points.shape == (468, 2)
    assert found["sureness"] > 0.8
    assert (points.min(axis=0) >= (left, top)).all()
    assert (points.max(axis=0) <= (right, bottom)).all()
    assert np.abs(points[NOSE_TIP] - NOSE).max() < 8


def test_the_nose_is_nearest_and_the_cheeks_are_far(found):
    depths = np.array(found["depths"])

    assert depths[NOSE_TIP] < np.quantile(depths, 0.05)
    assert min(depths[LEFT_CHEEK], depths[RIGHT_CHEEK]) > np.median(depths)
    heights = [found["landmarks"][point][1] for point in (FOREHEAD, NOSE_TIP, CHIN)]
    assert heights == sorted(heights)


def test_points_are_drawn_on_the_face_only(found):
    changed = np.abs(pixels(found["image"]) - np.asarray(photograph("astronaut")).astype(int))
    left, top, right, bottom = FACE
    strongly = changed.max(axis=-1) > 60

    assert strongly[top:bottom, left:right].sum() > 468
    strongly[top:bottom, left:right] = False
    assert strongly.mean() < 1e-3, "JPEG alone changes a few pixels at edges"


def test_a_picture_without_a_face_has_no_points(mesh):
    for picture in (photograph("coffee"), Image.new("RGB", (40, 90), "white")):
        nothing = answer(mesh, "find_landmarks", image=to_data_uri(picture))

        assert nothing["sureness"] == 0
        assert nothing["landmarks"] == [[0, 0]] * 468


def test_both_workers_answer_alike(mesh):
    assert is_same_from_both_workers(
        mesh, "find_landmarks", image=to_data_uri(photograph("astronaut"))
    )
