"""A matcher that lets anything through would make every suite green: it must say no."""

from __future__ import annotations

import pytest

from tests.conformance.matching import match
from tests.conformance.pictures import Mismatch, to_data_uri

GREY = {"pattern": "solid", "color": [100, 100, 100]}
ALMOST_GREY = {"pattern": "solid", "color": [103, 103, 103]}


@pytest.mark.parametrize(
    ("want", "good", "bad"),
    [
        (1, 1.0, True),
        (True, True, 1),
        (None, None, 0),
        ("a", "a", "b"),
        ([1, 2], [1, 2], [1, 2, 3]),
        ({"a": 1}, {"a": 1}, {"a": 1, "b": 2}),
        ({"$superset": {"a": 1}}, {"a": 1, "b": 2}, {"b": 2}),
        ({"$type": "int"}, 3, True),
        ({"$type": "traceback"}, ["frame"], []),
        ({"$regex": "^a.c"}, "a\ncd", "xabc"),
        ({"$approx": [1, 2], "tol": 0.1}, [1.05, 2], [1.2, 2]),
        ({"$one_of": [1, {"$type": "string"}]}, "x", 2),
        ({"a": [{"$type": "int"}]}, {"a": [1]}, {"a": ["1"]}),
    ],
)
def test_match_tells_good_from_bad(want, good, bad):
    match(want, good)
    with pytest.raises(Mismatch):
        match(want, bad)


def test_pictures_are_compared_by_format_size_and_pixels():
    answer = to_data_uri(GREY)

    match({"$image": {"format": "png", "size": [16, 12], "made_from": GREY}}, answer)
    match({"$image": {"made_from": ALMOST_GREY, "mean_tol": 3, "max_tol": 3}}, answer)
    for wrong in (
        {"format": "jpeg"},
        {"size": [12, 16]},
        {"mode": "L"},
        {"made_from": ALMOST_GREY},
    ):
        with pytest.raises(Mismatch):
            match({"$image": wrong}, answer)
