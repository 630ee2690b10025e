"""Turn sentences into vectors; calls that arrive together run through the network together."""

import os

import minilm
import torch
import wordpiece

import runway

HERE = os.path.dirname(os.path.abspath(__file__))
WEIGHTS = os.path.join(HERE, "weights")  # `runway-serve examples fetch sentence_embedding`
sentence = runway.text(description="A sentence or a short paragraph.", max_length=10000)


@runway.setup
def setup():
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network = minilm.load(os.path.join(WEIGHTS, "model.safetensors")).to(device)
    return network, wordpiece.WordPiece(os.path.join(WEIGHTS, "vocab.txt"))


@runway.command(
    "embed",
    inputs={"text": sentence},
    outputs={"vector": runway.vector(length=minilm.NUMBERS)},
    description="The vector of a sentence, of length 1.",
    batch=True,
    max_batch_size=32,
    max_wait_ms=5,
)
def embed(model, inputs_list):
    network, tokens = model
    vectors = minilm.embed(network, [tokens.encode(inputs["text"]) for inputs in inputs_list])
    return [{"vector": vector} for vector in vectors]


@runway.command(
    "compare",
    inputs={"first": sentence, "second": sentence},
    outputs={"likeness": runway.number(min=-1, max=1)},
    description="How alike two sentences are: 1 the same, about 0 unrelated.",
)
def compare(model, inputs):
    network, tokens = model
    pair = [tokens.encode(inputs[name]) for name in ("first", "second")]
    first, second = minilm.embed(network, pair)
    return {"likeness": float(min(1, first @ second))}


if __name__ == "__main__":
    runway.run()
