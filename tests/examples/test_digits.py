"""The digits example: vectors in, readable ink out."""

from __future__ import annotations

import numpy as np
import pytest

from tests.examples.exhibition import answer, exhibit, is_same_from_both_workers, pixels, refusal

pytest.importorskip("torch", reason="the example is a PyTorch model")
pytestmark = pytest.mark.torch
RANDOM = np.random.default_rng(0)
SOME, OTHER = (RANDOM.normal(size=16).tolist() for _ in range(2))


@pytest.fixture(scope="module")
def digits():
    with exhibit("digits") as served:
        yield served


def draw(served, z, **inputs):
    return pixels(answer(served, "generate", z=z, **inputs)["image"])


def test_a_digit_is_a_stroke_of_ink_in_the_middle(digits):
    for _ in range(10):
        ink = draw(digits, RANDOM.normal(size=16).tolist(), size=28)

        assert ink.shape == (28, 28)
        assert ink.max() > 128
        assert 0.03 < (ink > 128).mean() < 0.35
        assert ink[3:25, 3:25].sum() > 0.85 * ink.sum()


def test_other_vectors_draw_other_digits_and_equal_ones_the_same(digits):
    assert np.abs(draw(digits, SOME) - draw(digits, OTHER)).mean() > 5
    assert is_same_from_both_workers(digits, "generate", z=SOME)


def test_truncation_of_0_draws_the_average_digit_whatever_the_vector(digits):
    assert (draw(digits, SOME, truncation=0) == draw(digits, OTHER, truncation=0)).all()


def test_less_truncation_goes_further_from_the_average(digits):
    average = draw(digits, SOME, truncation=0)
    near, far = (np.abs(draw(digits, SOME, truncation=t) - average).mean() for t in (0.3, 1))

    assert 0 < near < far


def test_wrong_vectors_and_checkpoints_are_refused(digits):
    assert "16" in refusal(digits, "generate", z=[0.0] * 15)
    assert digits.post("setup", {"checkpoint": "no_such.pth"}).status_code == 400
    assert digits.post("generate", {"z": SOME}).status_code == 200
