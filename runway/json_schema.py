"""JSON Schemas of a model's options, inputs and outputs, as the server takes and gives them.

Types of a script's own, which only the script knows, stand as any JSON value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from runway.manifest import Fields

Schema = dict[str, Any]
NUMBERS: Schema = {"type": "array", "items": {"type": "number"}}
WHITE_PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR42mP4DwAB"
    "AQEAHLCMmQAAAABJRU5ErkJggg=="
)
PICTURE = "A picture as a data URI with base64 (PNG, JPEG, WebP, ...), or the bare base64."


def fields_schema(fields: Fields, is_output: bool = False) -> Schema:
    """The JSON object of options, inputs or outputs; unknown names are ignored in it, as the server does."""
    types = {name: t.to_dict() for name, t in fields.types.items()}
    required = list(types)
    if not is_output:
        required = [name for name, t in fields.types.items() if not hasattr(t, "default")]
    shown = {name: value_schema(described, is_output) for name, described in types.items()}
    schema: Schema = {"type": "object", "properties": shown}
    return {**schema, "required": required} if required else schema


def value_schema(described: Mapping[str, Any], is_output: bool = False) -> Schema:
    """The JSON values of a type that describes itself so (`BaseType.to_dict`)."""
    make = _SCHEMAS.get(described["type"])
    schema = {} if make is None else make(described, is_output)
    if described.get("description"):
        schema["description"] = described["description"]
    if described.get("default") is not None and not is_output:
        schema["default"] = described["default"]
    return schema


# -- one function a type


def _number(described: Mapping[str, Any], is_output: bool) -> Schema:
    if is_output:  # not a number and infinity have no JSON
        return {"type": ["number", "boolean", "null"]}
    limits = {"minimum": described.get("min"), "maximum": described.get("max")}
    given = {key: limit for key, limit in limits.items() if limit is not None}
    # the first SDK took booleans for numbers; with limits they make no sense
    return {"type": "number", **given} if given else {"type": ["number", "boolean"]}


def _text(described: Mapping[str, Any], is_output: bool) -> Schema:
    return {"type": "string"} if is_output else {"type": "string", **_lengths(described, "Length")}


def _array(described: Mapping[str, Any], is_output: bool) -> Schema:
    items = value_schema({**described["itemType"], "default": None}, is_output)
    limits = {} if is_output else _lengths(described, "Items")
    return {"type": "array", "items": items, **limits}


def _lengths(described: Mapping[str, Any], what: str) -> Schema:
    limits = {f"{side}{what}": described.get(f"{side}Length") for side in ("min", "max")}
    return {key: limit for key, limit in limits.items() if limit}


def _vector(described: Mapping[str, Any], is_output: bool) -> Schema:
    length = described["length"]
    row: Schema = NUMBERS
    if is_output:
        row = {"type": "array", "items": {"type": ["number", "array", "null", "boolean"]}}
    elif length:
        row = {**NUMBERS, "minItems": length, "maxItems": length}
    kinds = [{"type": ["number", "boolean", "null"] if is_output else "number"}, row]
    rows = [] if is_output else [{"type": "array", "items": {"type": "array"}}]
    return {"anyOf": [*kinds, *rows]}


def _picture(_described: Mapping[str, Any], is_output: bool) -> Schema:
    if is_output:
        return {"type": "string", "pattern": "^data:image/", "description": PICTURE}
    described_so = {"description": PICTURE, "contentEncoding": "base64"}
    return {"type": "string", **described_so, "examples": [WHITE_PIXEL]}


def _points(length: Callable[[Mapping[str, Any]], int], item: Schema) -> Any:
    def make(described: Mapping[str, Any], _is_output: bool) -> Schema:
        size = length(described)
        return {"type": "array", "items": item, "minItems": size, "maxItems": size}

    return make


_PAIR: Schema = {**NUMBERS, "minItems": 2, "maxItems": 2}
_SCHEMAS: dict[str, Callable[[Mapping[str, Any], bool], Schema]] = {
    "boolean": lambda _described, _is_output: {"type": "boolean"},
    "category": lambda described, is_output: {} if is_output else {"enum": described["oneOf"]},
    "number": _number,
    "text": _text,
    "array": _array,
    "vector": _vector,
    "image": _picture,
    "segmentation": _picture,
    "image_point": _points(lambda _: 2, {"type": "number"}),
    "image_bounding_box": _points(lambda _: 4, {"type": "number"}),
    "image_landmarks": _points(lambda described: described["length"], _PAIR),
    "file": lambda _described, _is_output: {"type": "string"},
    "directory": lambda _described, _is_output: {"type": "string"},
}
