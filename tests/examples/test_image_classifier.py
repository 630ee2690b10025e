"""The image classifier: the cat is a cat, the coffee is coffee. Its weights are fetched, so this is slow."""

from __future__ import annotations

import pytest

from tests.examples.exhibition import (
    EXAMPLES,
    answer,
    exhibit,
    fetch,
    is_same_from_both_workers,
    photograph,
    to_data_uri,
)

pytest.importorskip("torch", reason="the example is a PyTorch model")
pytestmark = [pytest.mark.torch, pytest.mark.slow]
CATS = {"tabby", "tiger cat", "Persian cat", "Siamese cat", "Egyptian cat"}


@pytest.fixture(scope="module")
def classifier():
    fetch("image_classifier")
    with exhibit("image_classifier") as served:
        yield served


def test_there_is_a_label_of_its_own_for_each_class():
    labels = (EXAMPLES / "image_classifier" / "labels.txt").read_text().splitlines()

    assert len(set(labels)) == 1000


def test_the_cat_is_a_cat_and_the_coffee_is_coffee(classifier):
    cat = answer(classifier, "classify", image=to_data_uri(photograph("chelsea")))
    coffee = answer(classifier, "classify", image=to_data_uri(photograph("coffee")))

    assert set(cat["labels"][:3]) <= CATS
    assert coffee["label"] == coffee["labels"][0] == "espresso"
    assert coffee["confidences"][0] > 0.5


def test_confidences_fall_and_never_exceed_one_together(classifier):
    sent = to_data_uri(photograph("astronaut"))

    found = answer(classifier, "classify", image=sent, count=20)

    assert len(found["labels"]) == len(found["confidences"]) == 20
    assert found["confidences"] == sorted(found["confidences"], reverse=True)
    assert 0 < sum(found["confidences"]) <= 1.000001


def test_both_workers_answer_alike(classifier):
    assert is_same_from_both_workers(
        classifier, "classify", image=to_data_uri(photograph("chelsea"))
    )
