"""Scripts as people wrote them, served by one worker: they answer as the old SDK did.

`reference-answers.json` holds, for each script, requests in the order they are sent and what the
old SDK answered: pictures as format, mode, size and mean of each channel. Where a decision of this
project differs, `EXCEPTIONS` names the answer that is expected now.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conformance.matching import match
from tests.conformance.pictures import from_data_uri
from tests.serving import Served, serve

HERE = Path(__file__).resolve().parent
REFERENCE = json.loads((HERE / "reference-answers.json").read_text("utf8"))
# JPEG keeps a quarter of the colours, and versions of Pillow differ in which: by up to 1.8 in the mean
# of 20 x 12 pixels, by 4.2 of 8 x 8. The recorded means are rounded to 0.1.
MEAN_TOLERANCE = {"jpeg": 4.5, "png": 0.06}
CHANGING = {"modelSDKVersion", "millisRunning", "millisSinceLastCommand", "GPU", "traceback"}

FALSY_DEFAULT = "a default of 0 stays 0, a missing one is 0 clamped into the limits"
MISSING_INPUT = "a missing input without default is the client's error"
# (script, number of the request) -> why the answer differs now, paths in it and what stands there
EXCEPTIONS: dict[tuple[str, int], tuple[str, dict[str, Any]]] = {
    ("bare_setup_no_args", 4): (
        MISSING_INPUT,
        {"status": 400, "body.error": "Missing input: image."},
    ),
    ("number_default_falls_through", 0): (
        FALSY_DEFAULT,
        {
            "body.options.1.default": 0,
            "body.commands.0.inputs.1.default": 0,
            "body.commands.0.inputs.3.default": 0,
        },
    ),
    ("number_default_falls_through", 1): (FALSY_DEFAULT, {"body.line": "|0|0|0|0|10"}),
    ("number_default_falls_through", 2): (FALSY_DEFAULT, {"body.line": "x|0|0|0|0|10"}),
    ("number_default_falls_through", 4): (FALSY_DEFAULT, {"body.line": "|0|0|0|0|10"}),
    ("text_of_anything", 0): (FALSY_DEFAULT, {"body.commands.0.inputs.1.default": 0}),
}


@pytest.mark.parametrize("name", REFERENCE)
def test_script_answers_as_it_always_did(name, tmp_path):
    script = tmp_path / f"{name}.py"
    shutil.copy(HERE / "scripts" / script.name, script)  # some write files beside themselves
    flags = ("--gpus", "none", "--cpu-workers", "1", "--allow-path", str(tmp_path))

    with serve(script, *flags) as server:
        for number, exchange in enumerate(REFERENCE[name]):
            got = ask(server, *exchange["request"])

            match(expected(name, number), got, f"{name} {number} {exchange['request'][:2]}")


def test_every_script_has_answers_and_every_exception_is_one():
    assert {path.stem for path in HERE.glob("scripts/*.py")} == set(REFERENCE)
    assert all(number < len(REFERENCE[name]) for name, number in EXCEPTIONS)


def ask(server: Served, method: str, path: str, body: Any = None) -> dict[str, Any]:
    """Status and body of an answer in the form of the reference."""
    response = server.get(path) if method == "GET" else server.post(path.lstrip("/"), body)
    return {"status": response.status_code, "body": summarise(response.json())}


def summarise(value: Any) -> Any:
    """An answer with its pictures described and what changes from run to run left out."""
    if isinstance(value, dict):
        return {key: summarise(item) for key, item in value.items() if key not in CHANGING}
    if isinstance(value, list):
        return [summarise(item) for item in value]
    if isinstance(value, str) and value.startswith("data:image/"):
        label, picture = from_data_uri(value)
        pixels = np.array(picture).reshape(picture.height * picture.width, -1)
        mean = pixels.mean(axis=0).tolist()
        return {"image": label, "mode": picture.mode, "size": list(picture.size), "mean": mean}
    return value


def expected(name: str, number: int) -> dict[str, Any]:
    """The reference's answer as a matcher, with the exceptions put in."""
    want = tolerant(REFERENCE[name][number]["answer"])
    _, changes = EXCEPTIONS.get((name, number), ("", {}))
    for path, value in changes.items():
        *parents, last = path.split(".")
        place = want
        for key in parents:
            place = place[int(key) if isinstance(place, list) else key]
        assert last in place
        place[last] = value
    return want


def tolerant(value: Any) -> Any:
    if isinstance(value, list):
        return [tolerant(item) for item in value]
    if not isinstance(value, dict):
        return value
    want = {key: tolerant(item) for key, item in value.items() if key not in CHANGING}
    if set(value) == {"image", "mean", "mode", "size"}:
        want["mean"] = {"$approx": value["mean"], "tol": MEAN_TOLERANCE[value["image"]]}
    return want
