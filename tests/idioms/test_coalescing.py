"""Scripts as people wrote them, asked by many clients at once: coalescing changes no answer, and harms none.

The scripts of `scripts/` answer as with `--coalesce off`. Those of `harmed/` call a network, and keep something that
calls share: each runs one call at a time, and the log says why.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.idioms.test_idioms import HERE, REFERENCE, ask
from tests.serving import Served, serve

CLIENTS = 8
ROUNDS = 2  # the first three calls of a command are watched, one by one; later ones come together
CPU = ("--gpus", "none", "--cpu-workers", "1")


def answers(server: Served, name: str) -> list[Counter[str]]:
    """What the clients were told: for each request of the script, sent by all at once, how often each answer came."""
    told = []
    for exchange in REFERENCE[name]:
        method, path, *_ = request = exchange["request"]
        is_command = method == "POST" and path != "/setup"
        with ThreadPoolExecutor(CLIENTS) as clients:
            many = CLIENTS * ROUNDS if is_command else 1
            found = clients.map(lambda _, request=request: ask(server, *request), range(many))
            told.append(Counter(json.dumps(answer, sort_keys=True) for answer in found))
    return told


@pytest.mark.parametrize("name", REFERENCE)
def test_clients_beside_each_other_are_told_the_same_with_and_without_coalescing(name, tmp_path):
    with ExitStack() as servers:
        told = {}
        for way in ("auto", "off"):
            folder = tmp_path / way
            folder.mkdir()
            script = shutil.copy(HERE / "scripts" / f"{name}.py", folder)
            flags = (*CPU, "--allow-path", str(tmp_path), "--coalesce", way)
            told[way] = answers(servers.enter_context(serve(script, *flags)), name)

    assert told["auto"] == told["off"]


HARMED = {
    "fixed_file": "it writes the file",
    "module_global": "it changes last",
    "model_attributes": "it changes the model.",
    "history": "it changes history",
    "painted_canvas": "it changes the model.canvas",
    "forgotten_eval": "in training mode, which draws at random (call .eval())",
}


@pytest.mark.torch
@pytest.mark.parametrize("name", HARMED)
def test_idioms_that_lanes_would_harm_run_one_call_at_a_time(name, tmp_path):
    pytest.importorskip("torch", reason="needs PyTorch")
    script = shutil.copy(HERE / "harmed" / f"{name}.py", tmp_path)
    values = range(CLIENTS * 6)

    with serve(Path(script), *CPU) as server, ThreadPoolExecutor(CLIENTS) as clients:
        found = list(clients.map(lambda x: server.post("run", {"x": x}), values))
        log = server.log()

    assert [answer.json() for answer in found] == [{"kept": x, "y": 2 * x} for x in values]
    (line,) = (line for line in log.splitlines() if "is not coalesced" in line)
    assert HARMED[name] in line


def test_every_harmed_script_is_tried():
    assert {path.stem for path in HERE.glob("harmed/*.py")} == set(HARMED)
