import pytest

from runway_serve.batching import BatchPolicy


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_batch_size", 0),
        ("max_batch_size", 2.5),
        ("max_batch_size", True),
        ("max_queue", 0),
        ("max_wait_ms", -1),
        ("max_wait_ms", float("nan")),
        ("max_wait_ms", float("inf")),
    ],
)
def test_a_number_that_cannot_work_is_refused_by_name(field, value):
    with pytest.raises(ValueError, match=field):
        BatchPolicy(**{field: value})


def test_a_wait_of_zero_is_allowed():
    assert BatchPolicy(max_batch_size=8, max_wait_ms=0).max_wait_ms == 0
