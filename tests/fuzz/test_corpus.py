"""What fuzzing began with and what it once found, played again, and bytes made up on the spot; needs no fuzzer."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runway.codec import unpack
from runway.exchange import open_call
from runway.messages import read_by_front, read_by_worker
from tests.fuzz.seeds import CORPUS, bodies, from_front, from_worker
from tests.fuzz.targets import TARGETS, frames_of, look_up, manifest

INPUTS = [path for target in TARGETS for path in sorted((CORPUS / target).iterdir())]
cases = settings(max_examples=400, deadline=None)


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_the_corpus_passes(path: Path):
    TARGETS[path.parent.name](path.read_bytes())


@pytest.mark.parametrize(
    "name", [name for name in bodies() if name not in ("gzip", "header") and "built" not in name]
)  # those begin otherwise
def test_a_body_of_the_corpus_is_a_call(name: str):
    call = open_call(manifest(), "all", {}, (CORPUS / "body" / name).read_bytes()[1:])

    assert call.decode().command == "all"


@pytest.mark.parametrize("name", from_front())
def test_a_message_to_a_worker_of_the_corpus_is_one(name: str):
    read_by_worker(unpack(frames_of((CORPUS / "to_worker" / name).read_bytes()), look_up))


@pytest.mark.parametrize("name", from_worker())
def test_a_message_to_the_front_of_the_corpus_is_one(name: str):
    read_by_front(unpack(frames_of((CORPUS / "to_front" / name).read_bytes()), look_up))


@pytest.mark.parametrize("target", TARGETS)
@cases
@given(data=st.binary(max_size=300))
def test_any_bytes_pass(target: str, data: bytes):
    TARGETS[target](data)


@pytest.mark.parametrize("target", TARGETS)
@cases
@given(
    choice=st.data(),
    hits=st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=4)), max_size=5),
    cut=st.floats(0, 1),
)
def test_a_damaged_input_passes(target: str, choice, hits, cut: float):
    path = choice.draw(st.sampled_from([path for path in INPUTS if path.parent.name == target]))
    data = bytearray(path.read_bytes())
    for place, part in hits:
        at = int(place * len(data))
        data[at : at + len(part)] = part

    TARGETS[target](bytes(data))
    TARGETS[target](bytes(data[: int(cut * len(data))]))
