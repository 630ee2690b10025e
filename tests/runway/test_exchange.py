"""Outputs on their way to an answer."""

from __future__ import annotations

import numpy as np
import pytest

from runway.data_types import any as anything
from runway.data_types import image, text, vector
from runway.exchange import SHORT_BYTES, Call, with_text
from runway.invocation import Output
from runway.manifest import Command, Fields

SHORT = {
    "numbers": np.array([0.5, float("nan")]),
    "words": "\ud800 and ü",
    "rest": b'{"a":[1]}',
}
TYPES = {"numbers": vector(length=2), "words": text, "rest": anything}


def command(types=TYPES) -> Command:
    return Command("c", Fields({}), Fields(types))


@pytest.mark.parametrize("final", [True, False])
def test_short_outputs_become_the_text_that_the_server_would_write(final):
    output = Output(SHORT, 0.5, final)

    written = with_text(command(), output, {})

    assert type(written.value) is bytes
    assert (written.progress, written.final) == (0.5, final)
    call = Call(command(), {}, {})
    assert call.written(written) == call.written(output) == written.value


@pytest.mark.parametrize(
    ("types", "value"),
    [
        ({"numbers": vector(length=0)}, {"numbers": np.zeros(SHORT_BYTES // 8 + 1)}),
        ({"words": text}, {"words": "x" * (SHORT_BYTES + 1)}),
        (TYPES, {**SHORT, "words": "x" * SHORT_BYTES}),
        ({"picture": image}, {"picture": np.zeros((2, 2, 3), np.uint8)}),
        (TYPES, None),
        ({"numbers": vector(length=2)}, {"numbers": object()}),
    ],
    ids=["long array", "long text", "long together", "picture", "end of a stream", "unwritable"],
)
def test_all_others_are_left_as_they_are(types, value):
    output = Output(value)

    assert with_text(command(types), output, {}) is output


def test_a_value_that_the_server_cannot_write_either_is_an_error_there():
    output = Output({"numbers": object()})

    with pytest.raises(TypeError):
        Call(command({"numbers": vector(length=2)}), {}, {}).written(output)
