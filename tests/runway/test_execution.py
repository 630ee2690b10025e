"""What a command may return, and what callers get of it."""

from __future__ import annotations

import numpy as np
import pytest

from runway.batches import run_batch
from runway.data_types import number, text, vector
from runway.exceptions import InferenceError, InvalidArgumentError, MissingOptionError, SetupError
from runway.execution import run_command, run_setup, stream_command
from runway.invocation import Invocation, Output, detached
from runway.manifest import Command, Fields


def command(function, outputs=None, **settings) -> Command:
    outputs = {"y": number} if outputs is None else outputs
    return Command(
        "c", Fields({"x": number(default=1)}), Fields(outputs), None, function, **settings
    )


def call(is_stream=False, **inputs) -> Invocation:
    return Invocation("c", inputs, {}, is_stream)


def values(function, outputs=None, is_stream=False, **inputs):
    if is_stream:
        steps = stream_command(command(function, outputs), "model", call(True, **inputs))
    else:
        steps = [run_command(command(function, outputs), "model", call(**inputs))]
    return [(step.value, step.progress, step.final) for step in steps]


TWO = {"a": number, "b": text}


@pytest.mark.parametrize(
    ("returned", "outputs", "value", "progress"),
    [
        (3, None, {"y": 3}, None),
        ({"y": 3, "extra": object()}, None, {"y": 3}, None),
        ((3, 0.5), None, {"y": 3}, 0.5),
        (({"a": 1, "b": 2}, 1), TWO, {"a": 1, "b": "2"}, 1),
    ],
)
def test_return_forms(returned, outputs, value, progress):
    assert values(lambda model, inputs: returned, outputs) == [(value, progress, True)]


@pytest.mark.parametrize(
    ("returned", "outputs", "said"),
    [
        ({"z": 1}, None, "no value for output y"),
        ({"a": 1}, TWO, "no value for output b"),
        (1, TWO, "must return a dict"),
        ((1, 2, 3), None, "tuple of 3"),
    ],
)
def test_what_fits_no_form_is_an_inference_error(returned, outputs, said):
    with pytest.raises(InferenceError, match=said) as raised:
        values(lambda model, inputs: returned, outputs)

    assert raised.value.code == 500


def steps(model, inputs):
    yield 1, 0.5
    yield 2
    return 3


def test_a_generator_gives_its_last_value_or_every_step():
    assert values(steps) == [({"y": 3}, None, True)]
    assert values(steps, is_stream=True) == [
        ({"y": 1}, 0.5, False),
        ({"y": 2}, None, False),
        ({"y": 3}, None, False),
        (None, None, True),
    ]


def test_closing_a_stream_runs_the_generators_finally():
    closed = []

    def endless(model, inputs):
        try:
            while True:
                yield 1
        finally:
            closed.append(True)

    stream = stream_command(command(endless), None, call(is_stream=True))
    next(stream)
    stream.close()

    assert closed == [True]


def test_an_error_of_the_script_carries_its_frames():
    def fail(model, inputs):
        raise ValueError("kaput")

    with pytest.raises(InferenceError) as raised:
        values(fail)

    assert raised.value.message == "Error during inference: ValueError('kaput')."
    wire = raised.value.to_wire()
    assert wire["code"] == 500


def test_a_runway_error_of_the_script_keeps_its_code():
    def refuse(model, inputs):
        raise InvalidArgumentError("x", "too large")

    with pytest.raises(InvalidArgumentError) as raised:
        values(refuse)

    assert raised.value.code == 400


def test_a_default_reaches_the_function_as_it_was_declared():
    seen = []
    values(lambda model, inputs: seen.append(inputs["x"]) or 0)
    assert seen == [1]


def double(model, batch):
    if any(item["x"] == 13 for item in batch):
        raise ValueError("thirteen")
    return [item["x"] * 2 for item in batch]


def test_a_bad_item_fails_alone_in_its_batch():
    batched = command(double, is_batched=True)

    results = run_batch(batched, None, [call(x=1), call(x=13), call(x=3)])

    assert [getattr(result, "value", None) for result in results] == [{"y": 2}, None, {"y": 6}]
    assert results[1].message == "Error during inference: ValueError('thirteen')."


@pytest.mark.parametrize("returned", [[1], [1, 2, 3], 5, {"y": 1}, "ab"])
def test_a_wrong_number_of_results_fails_every_item(returned):
    batched = command(lambda model, batch: returned, is_batched=True)

    results = run_batch(batched, None, [call(x=1), call(x=2)])

    assert len(results) == 2
    assert all(isinstance(result, Exception) and result.code == 500 for result in results)


@pytest.mark.parametrize(
    ("function", "types", "result"),
    [
        (None, {}, None),
        (lambda: "bare", {}, "bare"),
        (lambda options: options, {}, {}),
        (lambda options: options["n"], {"n": number(default=4)}, 4),
    ],
)
def test_setup_forms(function, types, result):
    assert run_setup(function, Fields(types, MissingOptionError), {}) == result


def test_a_failing_setup_says_what_it_raised():
    def fail():
        raise RuntimeError("no weights")

    with pytest.raises(SetupError, match=r"Error during setup: RuntimeError\('no weights'\)\."):
        run_setup(fail, Fields({}), {})


def test_a_batch_that_is_run_again_one_by_one_has_answers_of_their_own():
    memory = np.zeros(3)

    def fill(model, batch):
        if len(batch) > 1:
            raise ValueError("one of them is bad")
        memory[:] = batch[0]["x"]
        return [memory]

    batched = command(fill, {"y": vector(length=3)}, is_batched=True, max_batch_size=4)
    results = run_batch(batched, "model", [call(x=x) for x in (1, 2, 3)])

    assert [result.value["y"].tolist() for result in results] == [[x] * 3 for x in (1, 2, 3)]


@pytest.mark.parametrize(
    "value",
    [np.zeros(3), [np.zeros(3)] * 2, {"a": [np.zeros(3)]}],
    ids=["array", "list of arrays", "deeper"],
)
def test_a_detached_output_shares_no_memory(value):
    (before, after) = (Output({"y": value}, 0.5, False), detached(Output({"y": value}, 0.5, False)))

    found = list(zip(arrays(before.value), arrays(after.value), strict=True))

    assert found
    assert not any(np.shares_memory(one, other) for one, other in found)
    assert (after.progress, after.final) == (0.5, False)


def arrays(value) -> list[np.ndarray]:
    if isinstance(value, np.ndarray):
        return [value]
    parts = value.values() if isinstance(value, dict) else value
    return [array for part in parts for array in arrays(part)]


@pytest.mark.parametrize("value", [None, b"{}"])
def test_an_output_that_nobody_can_change_is_not_copied(value):
    output = Output(value)

    assert detached(output) is output
