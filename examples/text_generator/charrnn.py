"""A network that reads up to forty characters and says which comes next.

Two LSTM layers; characters and both layers' outputs side by side, averaged by attention. Architecture and weights
are those of textgenrnn (MIT, see `weights/LICENSE`).
"""

import json
from pathlib import Path

import torch
from torch import nn

WINDOW = 40  # characters it looks back on; before the first stands 0
EDGE = "<s>"  # the token before the first character and after the last
EMBEDDING, UNITS = 100, 128


class CharRnn(nn.Module):
    """(N, WINDOW) int64 token numbers to (N, tokens) scores of the next one."""

    def __init__(self, tokens):
        super().__init__()
        self.embedding = nn.Embedding(tokens, EMBEDDING)
        self.first = nn.LSTM(EMBEDDING, UNITS, batch_first=True)
        self.second = nn.LSTM(UNITS, UNITS, batch_first=True)
        self.attention = nn.Parameter(torch.zeros(EMBEDDING + 2 * UNITS))
        self.output = nn.Linear(EMBEDDING + 2 * UNITS, tokens)

    def forward(self, x):
        embedded = self.embedding(x)
        first, _ = self.first(embedded)
        second, _ = self.second(first)
        seen = torch.cat([embedded, first, second], dim=-1)
        shares = (seen @ self.attention).softmax(dim=1)
        return self.output((seen * shares[..., None]).sum(dim=1))


class Writer:
    """Continues texts, character by character."""

    def __init__(self, folder, device):
        tokens = json.loads((Path(folder) / "tokens.json").read_text())
        self.tokens = ["", *tokens]  # 0 stands for nothing
        self.numbers = {token: number for number, token in enumerate(self.tokens)}
        state = torch.load(Path(folder) / "charrnn.pth", map_location="cpu", weights_only=True)
        network = CharRnn(len(self.tokens))
        network.load_state_dict(state)
        self.network = network.float().eval().requires_grad_(False).to(device)
        self.device = device

    def write(self, prompt, temperature, length, seed):
        """Yield one character after the other, until the network ends the text or `length` is reached.

        Characters of the prompt that the network does not know are left out.
        """
        generator = torch.Generator().manual_seed(seed)
        numbers = [self.numbers[EDGE], *(self.numbers[c] for c in prompt if c in self.numbers)]
        for _ in range(length):
            window = [0] * (WINDOW - len(numbers)) + numbers[-WINDOW:]
            number = self.choose(window, temperature, generator)
            if self.tokens[number] == EDGE:
                return
            numbers.append(number)
            yield self.tokens[number]

    @torch.inference_mode()
    def choose(self, window, temperature, generator):
        """Number of the next token: the likeliest at temperature 0, else drawn."""
        scores = self.network(torch.tensor([window], device=self.device))[0].cpu()
        scores[0] = -torch.inf  # nothing is not a character
        if temperature == 0:
            return int(scores.argmax())
        shares = (scores / temperature).softmax(dim=0)
        return int(torch.multinomial(shares, 1, generator=generator))
