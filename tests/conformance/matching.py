"""Compare a JSON answer with the expectation of a case; plain values must match exactly.

An object with one of the keys of `MATCHERS` is a looser expectation, see `cases/*.json`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from tests.conformance.pictures import Mismatch, check_picture


def short(value: Any) -> str:
    """A value as JSON, cut to one readable line."""
    text = json.dumps(value, default=repr)
    return text if len(text) < 160 else text[:157] + "..."


def is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


TYPES: dict[str, Callable[[Any], bool]] = {
    "int": is_int,
    "number": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool),
    "string": lambda v: isinstance(v, str) and v != "",
    "bool": lambda v: isinstance(v, bool),
    "list": lambda v: isinstance(v, list),
    "object": lambda v: isinstance(v, dict),
    "null_or_int": lambda v: v is None or is_int(v),
    "traceback": lambda v: isinstance(v, list) and bool(v) and all(isinstance(s, str) for s in v),
}


def match(want: Any, got: Any, where: str = "$") -> None:
    """Raise Mismatch, naming the place, unless `got` is what `want` describes."""
    if isinstance(want, dict):
        for key, matcher in MATCHERS.items():
            if key in want:
                return matcher(want, got, where)
        return match_object(want, got, where)
    if isinstance(want, list):
        return match_list(want, got, where)
    exact = want is None or got is None or isinstance(want, (bool, str)) or isinstance(got, bool)
    if (exact and type(want) is not type(got)) or want != got:
        raise Mismatch(f"{where}: expected {short(want)}, got {short(got)}")


def match_object(want: dict[str, Any], got: Any, where: str) -> None:
    if not isinstance(got, dict):
        raise Mismatch(f"{where}: expected {short(want)}, got {short(got)}")
    if set(want) != set(got):
        raise Mismatch(f"{where}: keys {sorted(got)}, expected {sorted(want)}")
    for key, sub in want.items():
        match(sub, got[key], f"{where}.{key}")


def match_list(want: list[Any], got: Any, where: str) -> None:
    if not isinstance(got, list) or len(want) != len(got):
        raise Mismatch(f"{where}: expected {short(want)}, got {short(got)}")
    for index, (sub, item) in enumerate(zip(want, got, strict=True)):
        match(sub, item, f"{where}[{index}]")


def match_type(want: dict[str, Any], got: Any, where: str) -> None:
    if not TYPES[want["$type"]](got):
        raise Mismatch(f"{where}: expected {want['$type']}, got {short(got)}")


def match_regex(want: dict[str, Any], got: Any, where: str) -> None:
    if not isinstance(got, str) or not re.search(want["$regex"], got, re.DOTALL):
        raise Mismatch(f"{where}: expected to match /{want['$regex']}/, got {short(got)}")


def match_approx(want: dict[str, Any], got: Any, where: str) -> None:
    target, tolerance = want["$approx"], want.get("tol", 1e-6)
    if isinstance(target, list):
        items = [{"$approx": item, "tol": tolerance} for item in target]
        return match_list(items, got, where)
    if not TYPES["number"](got) or abs(got - target) > tolerance:
        raise Mismatch(f"{where}: expected about {target}, got {short(got)}")


def match_one_of(want: dict[str, Any], got: Any, where: str) -> None:
    reasons = []
    for option in want["$one_of"]:
        try:
            return match(option, got, where)
        except Mismatch as err:
            reasons.append(str(err))
    raise Mismatch(f"{where}: no alternative matches: {' | '.join(reasons)}")


def match_superset(want: dict[str, Any], got: Any, where: str) -> None:
    if not isinstance(got, dict):
        raise Mismatch(f"{where}: expected an object, got {short(got)}")
    for key, sub in want["$superset"].items():
        if key not in got:
            raise Mismatch(f"{where}: missing key {key!r} in {short(got)}")
        match(sub, got[key], f"{where}.{key}")


MATCHERS: dict[str, Callable[[dict[str, Any], Any, str], None]] = {
    "$any": lambda want, got, where: None,
    "$type": match_type,
    "$regex": match_regex,
    "$approx": match_approx,
    "$one_of": match_one_of,
    "$superset": match_superset,
    "$image": lambda want, got, where: check_picture(want["$image"], got, where),
}
