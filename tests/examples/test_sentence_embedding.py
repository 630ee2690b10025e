"""The sentence embedding: like sentences have like vectors, alone and in batches. Its weights are fetched: slow."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import requests

from tests.examples.exhibition import EXAMPLES, answer, exhibit, fetch, load_module

pytest.importorskip("torch", reason="the example is a PyTorch model")
pytestmark = [pytest.mark.torch, pytest.mark.slow]
CAT, KITTEN, STOCKS = (
    "A cat sits on the mat.",
    "A kitten is resting on a rug.",
    "Stocks fell sharply on Monday.",
)
SENTENCES = (CAT, KITTEN, STOCKS, "Yes.", "word " * 100)


@pytest.fixture(scope="module")
def embedding():
    fetch("sentence_embedding")
    with exhibit("sentence_embedding") as served:
        yield served


@pytest.fixture(scope="module")
def tokens(embedding):
    wordpiece = load_module("sentence_embedding", "wordpiece")
    return wordpiece.WordPiece(EXAMPLES / "sentence_embedding" / "weights" / "vocab.txt")


def embed(served, text) -> np.ndarray:
    return np.array(answer(served, "embed", text=text)["vector"])


def test_like_sentences_have_like_vectors(embedding):
    cat, kitten, stocks = (embed(embedding, text) for text in (CAT, KITTEN, STOCKS))

    assert cat.shape == (384,)
    assert np.linalg.norm(cat) == pytest.approx(1, abs=1e-5)
    assert cat @ kitten > 0.6
    assert cat @ stocks < 0.15


def test_compare_gives_the_product_of_the_vectors(embedding):
    likeness = answer(embedding, "compare", first=CAT, second=KITTEN)["likeness"]

    assert likeness == pytest.approx(embed(embedding, CAT) @ embed(embedding, KITTEN), abs=1e-4)
    assert answer(embedding, "compare", first=CAT, second=CAT)["likeness"] == pytest.approx(1)


def test_sentences_in_one_batch_get_the_vectors_they_get_alone(embedding):
    alone = {text: embed(embedding, text) for text in SENTENCES}

    def call(text: str) -> np.ndarray:
        url = f"{embedding.url}/embed"
        response = requests.post(url, json={"text": text}, timeout=30, proxies={"http": ""})
        return np.array(response.json()["vector"])

    texts = SENTENCES * 8
    with ThreadPoolExecutor(16) as pool:
        together = list(pool.map(call, texts))

    for text, vector in zip(texts, together, strict=True):
        assert np.abs(vector - alone[text]).max() < 1e-5
    batches, calls = (metric(embedding, f"runway_batch_size_{kind}") for kind in ("count", "sum"))
    assert calls > batches, "some calls must have run together"


def metric(served, name: str) -> float:
    """Sum of a metric's samples for the command."""
    lines = served.get("/metrics").text.splitlines()
    return sum(
        float(line.split()[-1]) for line in lines if line.startswith(name) and '"embed"' in line
    )


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("", []),
        # as the tokenizer that the weights were published with has them
        ("Thé naïve, 東京 unaffable!", [1996, 15743, 1010, 1879, 1755, 14477, 20961, 3468, 999]),
        ("a" * 101, [100]),
        ("zero\u00adwidth\ttab", [5717, 9148, 11927, 2232, 21628]),
    ],
)
def test_text_is_cut_as_the_published_tokenizer_cuts_it(tokens, text, numbers):
    assert tokens.encode(text) == [101, *numbers, 102]


def test_a_long_text_is_cut_off(tokens):
    assert len(tokens.encode("word " * 10_000)) == 256
