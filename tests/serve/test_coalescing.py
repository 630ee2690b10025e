"""`runway-serve` over a script that was written for one call at a time: calls that come together share runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.serving import Served, serve

torch = pytest.importorskip("torch", reason="needs PyTorch")

pytestmark = pytest.mark.torch
SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "accelerated.py"
CLIENTS = 12
CALLS = 96


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with serve(SCRIPT, "--gpus", "none") as served:
        yield served


def drawn(seed: int) -> list[float]:
    """What the command `draw` answers, by the same arithmetic."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(1, 8, generator=generator)
    return (x.cumsum(1) + torch.rand(1, 8, generator=generator))[0].tolist()


def ask(server: Served, command: str, seeds: range) -> list:
    """The command's answers, asked for by several clients at once."""
    with ThreadPoolExecutor(CLIENTS) as clients:
        answers = list(clients.map(lambda seed: server.post(command, {"seed": seed}), seeds))
    assert {answer.status_code for answer in answers} == {200}
    return [answer.json()["z"] for answer in answers]


def sizes(server: Served) -> set[int]:
    return {int(size) for size in re.findall(r"network ran (\d+) items", server.log())}


def test_calls_share_runs_and_keep_their_seeds(server):
    answers = ask(server, "draw", range(CALLS))

    for seed, answer in enumerate(answers):
        assert answer == pytest.approx(drawn(seed), abs=1e-4)
    assert max(sizes(server)) > 2


def test_generators_take_part(server):
    answers = ask(server, "steps", range(CALLS))

    def last_step(seed: int) -> float:
        generator = torch.Generator().manual_seed(seed)
        for _ in range(3):
            x = torch.rand(1, 8, generator=generator)
            value = x.sum() + torch.rand((), generator=generator)
        return float(value)

    assert answers == pytest.approx([last_step(seed) for seed in range(CALLS)], abs=1e-3)


@pytest.mark.parametrize(
    ("flags", "command"),
    [((), "alone"), (("--coalesce", "off"), "draw")],
    ids=["command", "server"],
)
def test_it_can_be_switched_off(flags, command):
    with serve(SCRIPT, "--gpus", "none", *flags) as server:
        ask(server, command, range(CLIENTS * 2))

        assert sizes(server) == {1}


def test_a_wrong_number_of_lanes_is_refused():
    from runway_serve.cli import build_parser, resolve
    from runway_serve.config import ConfigError

    flags = build_parser().parse_args([str(SCRIPT), "--coalesce", "many"])
    with pytest.raises(ConfigError, match="--coalesce must be auto, off or a number"):
        resolve(flags, [])
