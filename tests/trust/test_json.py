"""Numbers, text and images in JSON: whatever a client sends is answered, and every answer is JSON."""

from __future__ import annotations

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from tests.serving import Served
from tests.trust.kinds import case, error_of, raw


def refuse_constant(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


@case(28)
@pytest.mark.parametrize(
    ("what", "value"),
    [("nan", None), ("f32", 1.5), ("i64", 1099511627776), ("arr", [0, 1, 2])],
)
def test_what_numpy_makes_is_plain_json(two: Served, what: str, value: object):
    answer = two.post("odd", {"what": what})

    assert answer.status_code == 200
    assert json.loads(answer.text, parse_constant=refuse_constant) == {"r": value}


BODIES = [
    (b"5", "JSON object"),
    (b"[]", "JSON object"),
    (b"null", "JSON"),
    (b"true", "JSON object"),
    (b'"text"', "JSON object"),
    (b"", "must contain JSON"),
    (b"   ", "must contain JSON"),
    (b'{"x":NaN}', "JSON"),
    (b'{"x":Infinity}', "JSON"),
    (b'{"x":1e999}', ""),
    (b'{"x":"5"}', "Invalid argument: x."),
    (b'{"x":true}', "Invalid argument: x."),
    (b'{"x":null}', "x."),
    (b'{"x":[5]}', "Invalid argument: x."),
    (b'{"x":{}}', "Invalid argument: x."),
    (b'{"x":101}', "Invalid argument: x."),
    (b'{"x":-0.001}', "Invalid argument: x."),
    (b"[" * 2000, "JSON"),
    (b'{"x":' * 2000, "JSON"),
    (b'{"x":5', "JSON"),
    (b'{"x":5}}', "JSON"),
    (b"\xff\xfe{}", "JSON"),
    (b'{"x":5,}', "JSON"),
    (b"{'x':5}", "JSON"),
    (b"x=5", "JSON"),
]


@case(29)
@pytest.mark.parametrize(
    ("body", "said"), BODIES, ids=[repr(body[:16])[2:-1] or "empty" for body, _ in BODIES]
)
def test_a_bad_body_is_the_clients_fault(two: Served, pids, body: bytes, said: str):
    error_of(raw(two, "/half", body), 400, said)


@case(29)
def test_a_missing_number_has_its_default(two: Served):
    assert two.post("half", {}).json() == {"y": 0}


@case(29)
def test_a_missing_input_without_default_is_named(two: Served):
    error_of(two.post("look", {}), 400, "Missing input: i.")
    error_of(two.post("look", {"I": ""}), 400, "Missing input: i.")


@case(30)
@pytest.mark.parametrize(
    ("text", "length"),
    [("é😀\0", 3), ("", 0), ("\u202eabc", 4), ("e\u0301", 2), ("\ufeff", 1), ('\r\n\t\\"', 5)],
    ids=["case", "empty", "direction", "combining", "bom", "escapes"],
)
def test_text_arrives_as_it_was_sent(two: Served, text: str, length: int):
    plain = raw(two, "/say", json.dumps({"t": text}, ensure_ascii=False).encode())
    escaped = raw(two, "/say", json.dumps({"t": text}).encode())

    assert plain.content == escaped.content
    assert json.loads(plain.content) == {"t": text, "n": length}
    assert plain.headers["Content-Type"] in ("application/json", "application/json; charset=utf-8")


@case(30)
def test_a_lone_surrogate_is_no_500(two: Served):
    assert raw(two, "/say", b'{"t":"\\ud83d"}').status_code in (200, 400)


@case(30)
@pytest.mark.parametrize("sign", ["a", "é", "😀"])
def test_text_is_as_long_as_it_may_be(two: Served, sign: str):
    assert two.post("say", {"t": sign * 20}).json()["n"] == 20
    error_of(two.post("say", {"t": sign * 21}), 400, "Invalid argument: t.", "20")


@case(31)
def test_base64_may_be_written_in_many_ways(two: Served):
    buffer = io.BytesIO()
    pixels = np.arange(7 * 5 * 3, dtype=np.uint8).reshape(7, 5, 3)
    Image.fromarray(pixels).save(buffer, "PNG")
    text = base64.b64encode(buffer.getvalue()).decode()
    uri = f"data:image/png;base64,{text}"
    lines = "\r\n".join(text[at : at + 76] for at in range(0, len(text), 76))
    forms = (uri, text, text.rstrip("="), f"{text}\n", f"{uri}\n", lines, uri.rstrip("="))

    answers = [two.post("look", {"i": form}) for form in forms]

    assert [answer.status_code for answer in answers] == [200] * len(forms)
    assert {answer.text for answer in answers} == {answers[0].text}
    assert answers[0].json()["r"]["shape"] == [7, 5, 3]


@case(31)
@pytest.mark.parametrize(
    "form",
    [
        "data:image/png;base64,!!!!",
        "data:image/png;base64,",
        "data:,",
        "data:",
        "",
        "A",
        "é",
        "\0",
        "data:image/png;base64",
        5,
        None,
        [],
        {"data": "x"},
        True,
    ],
    ids=repr,
)
def test_what_is_no_base64_of_an_image_is_a_400(two: Served, pids, form: object):
    error_of(two.post("look", {"i": form}), 400, "i.")
