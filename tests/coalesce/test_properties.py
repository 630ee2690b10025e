"""Random networks, shapes, seeds and turns: side by side gives what one by one gives."""

from __future__ import annotations

import random

import pytest

torch = pytest.importorskip("torch", reason="needs PyTorch")
from torch import nn  # noqa: E402

from tests.coalesce.running import Runner  # noqa: E402
from tests.coalesce.test_torch import assert_equal  # noqa: E402

pytestmark = pytest.mark.torch
CASES = 200


class Pictures(nn.Module):
    def __init__(self, rng: random.Random) -> None:
        super().__init__()
        width = 4 * rng.randint(1, 4)
        norm = rng.choice([nn.BatchNorm2d, lambda n: nn.GroupNorm(2, n), nn.InstanceNorm2d])
        self.body = nn.Sequential(
            nn.Conv2d(3, width, 3, padding=1),
            norm(width),
            rng.choice([nn.ReLU, nn.GELU])(),
            nn.Conv2d(width, 3, 1),
        )

    def forward(self, x):
        return torch.tanh(self.body(x))

    def sample(self, rng, generator):
        return torch.randn(rng.choice([1, 1, 2]), 3, 8, rng.choice([8, 12]), generator=generator)


class Attention(nn.Module):
    def __init__(self, rng: random.Random) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(
            8, 2, 16, batch_first=True, norm_first=rng.random() < 0.5
        )

    def forward(self, x):
        return self.layer(x)

    def sample(self, rng, generator):
        return torch.randn(1, rng.choice([3, 5]), 8, generator=generator)


class Recurrent(nn.Module):
    def __init__(self, rng: random.Random) -> None:
        super().__init__()
        self.is_lstm = rng.random() < 0.5
        kind = nn.LSTM if self.is_lstm else nn.GRU
        self.rnn = kind(6, 6, num_layers=rng.randint(1, 2), batch_first=True)

    def forward(self, x, state=None):
        y, state = self.rnn(x, state)
        return y, state

    def sample(self, rng, generator):
        return torch.randn(1, rng.choice([2, 4]), 6, generator=generator)


class Several(nn.Module):
    """Two inputs, several outputs in a dict."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(5, 4), nn.Linear(5, 4)
        self.norm = nn.LayerNorm(4)

    def forward(self, x, other=None):
        y = self.norm(self.left(x) + self.right(x if other is None else other))
        return {"scores": y.softmax(-1), "parts": [y, (y.amax(-1), None)], "best": y.argmax(-1)}

    def sample(self, rng, generator):
        return torch.randn(rng.choice([1, 2]), 5, generator=generator)


class Words(nn.Module):
    def __init__(self, rng: random.Random) -> None:
        super().__init__()
        self.embed = nn.Embedding(20, 8)
        self.read = nn.Linear(8, 20)

    def forward(self, tokens):
        return self.read(self.embed(tokens).cumsum(1))

    def sample(self, rng, generator):
        return torch.randint(0, 20, (1, rng.choice([2, 6])), generator=generator)


def one_call(model, value):
    """A command: seeds or not, draws, runs the network a few times, draws again."""
    x, seed, turns = value
    with torch.no_grad():
        torch.manual_seed(seed)
        draws = [torch.rand(3)]
        results = []
        for turn in range(turns):
            if isinstance(model, Several) and turn % 2:
                results.append(model(x, other=x * 2))
            elif isinstance(model, Recurrent) and turn:
                results.append(model(results[-1][0], results[-1][1]))
            else:
                results.append(model(x))
            draws.append(torch.randn(2))
    return results, [draw.tolist() for draw in draws]


@pytest.mark.parametrize("number", range(CASES))
def test_side_by_side_is_one_by_one(number):
    rng = random.Random(number)
    torch.manual_seed(number)
    kind = rng.choice([Pictures, Attention, Recurrent, Several, Words])
    model = kind(rng).eval()
    generator = torch.Generator().manual_seed(number)
    run = Runner(one_call, model)
    run.watch((model.sample(rng, generator), 1, 1))

    for _ in range(4):
        values = [
            (model.sample(rng, generator), rng.randrange(5), rng.randint(1, 3))
            for _ in range(rng.randint(2, 9))
        ]
        expected = [one_call(model, value) for value in values]
        for (results, draws), (wanted, wanted_draws) in zip(run(values), expected, strict=True):
            assert_equal(results, wanted)
            assert draws == wanted_draws

    statistics = run.coalescer.statistics
    assert statistics.checks[True] + sum(statistics.sizes.values()) > 0
    assert not any("differ" in reason or "depends" in reason for reason in run.reasons.values())
