"""The text generator: step by step over a WebSocket, whole over HTTP, the same text both ways."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.examples.exhibition import answer, exhibit, is_same_from_both_workers, play_job, refusal

pytest.importorskip("torch", reason="the example is a PyTorch model")
pytestmark = pytest.mark.torch
INPUTS = {"prompt": "My dog ", "temperature": 0.5, "length": 40, "seed": 1}
# What an English reader calls common; the network has read titles of forum posts.
COMMON = {"a", "the", "of", "and", "to", "in", "is", "it", "for", "my", "i", "that", "on", "with"}


@pytest.fixture(scope="module")
def generator():
    with exhibit("text_generator") as served:
        yield served


def test_text_begins_with_the_prompt_and_goes_on_in_words(generator):
    texts = [answer(generator, "generate", **{**INPUTS, "seed": seed})["text"] for seed in range(5)]

    assert all(text.startswith("My dog ") and 7 < len(text) <= 47 for text in texts)
    assert len(set(texts)) > 1
    words = " ".join(text.removeprefix("My dog ") for text in texts).lower().split()
    assert sum(word in COMMON for word in words) > len(words) / 6


def test_each_character_is_sent_as_it_comes(generator):
    messages = play_job(generator, "generate", INPUTS)

    outputs = [message for message in messages if message["type"] == "output"]
    texts = [output["outputData"]["text"] for output in outputs]
    steps = texts[:-1]  # the last says the whole again
    assert messages[-1]["type"] == "succeeded"
    assert [len(text) for text in steps] == list(range(8, 8 + len(steps)))
    assert all(after.startswith(before) for before, after in pairwise(steps))
    progress = [output["progress"] for output in outputs[:-1]]
    assert progress == [count / 40 for count in range(1, len(steps) + 1)]
    assert texts[-1] == steps[-1] == answer(generator, "generate", **INPUTS)["text"]


def test_at_temperature_0_the_seed_changes_nothing(generator):
    first, second = (
        answer(generator, "generate", **{**INPUTS, "temperature": 0, "seed": seed})["text"]
        for seed in (1, 2)
    )

    assert first == second


def test_prompts_of_unknown_characters_are_kept_in_the_text(generator):
    text = answer(generator, "generate", prompt="犬 ", length=5)["text"]

    assert text.startswith("犬 ")


def test_both_workers_answer_alike_and_limits_hold(generator):
    assert is_same_from_both_workers(generator, "generate", **{**INPUTS, "length": 10})
    assert "length" in refusal(generator, "generate", **{**INPUTS, "length": 501})
