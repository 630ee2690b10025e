"""MiniLM: a small transformer that turns a sentence into 384 numbers; like sentences get like numbers.

Wang et al. 2020, "MiniLM: Deep Self-Attention Distillation"; trained for sentences as in Reimers & Gurevych 2019,
"Sentence-BERT". The weights are Apache-2.0, see `LICENSE`.
"""

import json

import torch
from torch import nn
from torch.nn import functional as F

NUMBERS = 384
LAYERS, HEADS, INNER = 6, 12, 1536
POSITIONS, TOKENS = 512, 30522


def normalized():
    return nn.LayerNorm(NUMBERS, eps=1e-12)


class Layer(nn.Module):
    """Each token looks at the others, then thinks for itself."""

    def __init__(self):
        super().__init__()
        self.query, self.key, self.value, self.mix = (nn.Linear(NUMBERS, NUMBERS) for _ in range(4))
        self.mixed = normalized()
        self.widen, self.narrow = nn.Linear(NUMBERS, INNER), nn.Linear(INNER, NUMBERS)
        self.thought = normalized()

    def forward(self, x, visible):
        heads = [
            part(x).unflatten(-1, (HEADS, -1)).transpose(1, 2)
            for part in (self.query, self.key, self.value)
        ]
        seen = F.scaled_dot_product_attention(*heads, attn_mask=visible[:, None, None])
        x = self.mixed(x + self.mix(seen.transpose(1, 2).flatten(2)))
        return self.thought(x + self.narrow(F.gelu(self.widen(x))))


class MiniLM(nn.Module):
    """(N, T) int64 token numbers and (N, T) bool, true where a token is, to (N, NUMBERS) of length 1."""

    def __init__(self):
        super().__init__()
        self.word = nn.Embedding(TOKENS, NUMBERS)
        self.position = nn.Embedding(POSITIONS, NUMBERS)
        self.kind = nn.Embedding(2, NUMBERS)  # first or second sentence; here all are the first
        self.embedded = normalized()
        self.layers = nn.ModuleList([Layer() for _ in range(LAYERS)])

    def forward(self, tokens, present):
        places = self.position.weight[: tokens.shape[1]]
        x = self.embedded(self.word(tokens) + places + self.kind.weight[0])
        for layer in self.layers:
            x = layer(x, present)
        total = (x * present[..., None]).sum(dim=1)
        return F.normalize(total / present.sum(dim=1, keepdim=True), dim=-1)


# Our names in the weights' own.
PARTS = {
    "word": "embeddings.word_embeddings",
    "position": "embeddings.position_embeddings",
    "kind": "embeddings.token_type_embeddings",
    "embedded": "embeddings.LayerNorm",
}
LAYER_PARTS = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "mix": "attention.output.dense",
    "mixed": "attention.output.LayerNorm",
    "widen": "intermediate.dense",
    "narrow": "output.dense",
    "thought": "output.LayerNorm",
}


def load(path):
    """The network with the published weights, ready for inference on the CPU."""
    parts = dict(PARTS)
    for number in range(LAYERS):
        for ours, theirs in LAYER_PARTS.items():
            parts[f"layers.{number}.{ours}"] = f"encoder.layer.{number}.{theirs}"
    arrays = read_safetensors(path)
    network = MiniLM()
    state = {}
    for name in network.state_dict():
        part, kind = name.rsplit(".", 1)
        state[name] = arrays[f"{parts[part]}.{kind}"]
    network.load_state_dict(state)
    return network.eval().requires_grad_(False)


def read_safetensors(path):
    """Float32 tensors by name: a header in JSON says where each lies in the bytes behind it."""
    with open(path, "rb") as source:
        header = json.loads(source.read(int.from_bytes(source.read(8), "little")))
        raw = bytearray(source.read())
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__" and entry["dtype"] == "F32":
            first, last = entry["data_offsets"]
            count = (last - first) // 4
            numbers = torch.frombuffer(raw, dtype=torch.float32, count=count, offset=first)
            tensors[name] = numbers.reshape(entry["shape"])
    return tensors


@torch.inference_mode()
def embed(network, sequences):
    """(N, NUMBERS) float32 array of sequences of token numbers, all in one run of the network."""
    device = network.word.weight.device
    longest = max(map(len, sequences))
    tokens = torch.zeros(len(sequences), longest, dtype=torch.int64)
    present = torch.zeros(len(sequences), longest, dtype=torch.bool)
    for row, sequence in enumerate(sequences):
        tokens[row, : len(sequence)] = torch.tensor(sequence)
        present[row, : len(sequence)] = True
    return network(tokens.to(device), present.to(device)).cpu().numpy()
