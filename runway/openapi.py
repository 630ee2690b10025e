"""`GET /openapi.json`: the server's routes and the model's commands as an OpenAPI 3.1 document, made from the manifest.

Types of a script's own, which only the script knows, stand as any JSON value.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any
from urllib.parse import quote

from runway.__version__ import __version__
from runway.manifest import Command, Fields, Manifest

Schema = dict[str, Any]
JSON_TYPE = "application/json"
NUMBERS: Schema = {"type": "array", "items": {"type": "number"}}
PICTURE = "A picture as a data URI with base64 (PNG, JPEG, WebP, ...), or the bare base64."
COMPONENTS: dict[str, Schema] = {
    "Error": {
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {"type": "string"},
            "traceback": {"type": "array", "items": {"type": "string"}},
        },
    },
    "Job": {
        "type": "object",
        "required": ["id", "command", "status", "progress", "timeElapsed", "outputData"],
        "properties": {
            "id": {"type": "string"},
            "command": {"type": "string"},
            "status": {"enum": ["running", "succeeded", "failed"]},
            "progress": {"type": ["number", "null"]},
            "timeElapsed": {"type": ["integer", "null"], "description": "Milliseconds."},
            "outputData": {"type": ["object", "null"]},
            "error": {"type": "string"},
            "code": {"type": "integer"},
            "traceback": {"type": "array", "items": {"type": "string"}},
        },
    },
}
ERROR = {"$ref": "#/components/schemas/Error"}
JOB_ID = {
    "name": "id",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "minLength": 1, "pattern": "^[A-Za-z0-9_-]+$"},
}


def document(manifest: Manifest, routes: Collection[str]) -> dict[str, Any]:
    """The document; of the routes that only some servers have it tells those in `routes`."""
    paths: dict[str, Any] = {}
    for path, operation in _INFORMATION.items():
        if path in routes:
            paths[path] = {"get": operation()}
    paths["/setup"] = {"get": _list_options(), "post": _setup(manifest.options)}
    paths |= _job_paths()
    for command in manifest.commands.values():
        paths[f"/{quote(command.name, safe='')}"] = {"get": _usage(), "post": _call(command)}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Runway model", "version": __version__},
        "paths": paths,
        "components": {"schemas": COMPONENTS},
    }


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
    return {"type": "string", "description": PICTURE, "contentEncoding": "base64"}


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


# -- operations


def _response(text: str, schema: Schema, media: str = JSON_TYPE) -> dict[str, Any]:
    return {"description": text, "content": {media: {"schema": schema}}}


def _errors(**texts: str) -> dict[str, Any]:
    return {code.removeprefix("status_"): _response(text, ERROR) for code, text in texts.items()}


STARTING = "The model is starting."


def _information(summary: str, schema: Schema, media: str = JSON_TYPE) -> dict[str, Any]:
    answers = {"200": _response("As the summary says.", schema, media)}
    return {"summary": summary, "responses": {**answers, **_errors(status_503=STARTING)}}


def _meta() -> dict[str, Any]:
    lists = {
        name: {"type": "array", "items": {"type": "object"}} for name in ("options", "commands")
    }
    schema = {"type": "object", "required": list(lists), "properties": lists}
    return _information("The model's options and commands", schema)


def _status() -> dict[str, Any]:
    statuses = {"status": {"enum": ["RUNNING", "STARTING"]}}
    schema = {"type": "object", "required": ["status"], "properties": statuses}
    operation = _information("Whether the model runs", schema)
    operation["responses"]["503"] = _response("It does not yet.", schema)
    return operation


def _metrics() -> dict[str, Any]:
    return _information("Numbers for Prometheus", {"type": "string"}, "text/plain")


def _itself() -> dict[str, Any]:
    return _information("This document", {"type": "object"})


_INFORMATION: dict[str, Callable[[], dict[str, Any]]] = {
    "/": _meta,
    "/meta": _meta,
    "/healthcheck": _status,
    "/ready": _status,
    "/metrics": _metrics,
    "/openapi.json": _itself,
}


def _usage() -> dict[str, Any]:
    return _information("What the command takes and gives", {"type": "object"})


def _list_options() -> dict[str, Any]:
    return _information("The setup's options", {"type": "array", "items": {"type": "object"}})


def _setup(options: Fields) -> dict[str, Any]:
    done = {"type": "object", "properties": {"success": {"const": True}}, "required": ["success"]}
    return {
        "summary": "Run the setup with other options",
        "requestBody": _body(options),
        "responses": {
            "200": _response("The model serves with these options.", done),
            **_errors(
                status_400="A bad option; the message names it.",
                status_413="The body is too large.",
                status_500="The setup failed; the old model serves on.",
                status_503="No worker is ready.",
            ),
        },
    }


def _call(command: Command) -> dict[str, Any]:
    answers = {
        "200": _response("The outputs.", fields_schema(command.outputs, is_output=True)),
        "202": _response("A job, as `Prefer: respond-async` wished it.", {"$ref": _JOB}),
    }
    answers["200"]["content"]["text/event-stream"] = {"schema": {"type": "string"}}
    operation = {
        "summary": f"Run {command.name}",
        "parameters": [_header("Prefer", "`respond-async` for a job instead of an answer.")],
        "requestBody": _body(command.inputs),
        "responses": {
            **answers,
            **_errors(
                status_400="A bad or missing input; the message names it.",
                status_413="The body is too large.",
                status_500="The command failed.",
                status_503="Too many calls wait, or no worker is ready.",
                status_504="It took too long.",
            ),
        },
    }
    if command.description:
        operation["description"] = command.description
    return operation


def _header(name: str, text: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "description": text, "schema": {"type": "string"}}


def _body(fields: Fields) -> dict[str, Any]:
    return {"required": True, "content": {JSON_TYPE: {"schema": fields_schema(fields)}}}


_JOB = "#/components/schemas/Job"


def _job_paths() -> dict[str, Any]:
    missing = _errors(status_404="There is no such job.")
    shown = {"200": _response("The job.", {"$ref": _JOB}), **missing}
    events = {"200": _response("Its events.", {"type": "string"}, "text/event-stream"), **missing}
    removed = {"204": {"description": "It is cancelled, if it ran, and forgotten."}, **missing}
    return {
        "/jobs/{id}": {
            "parameters": [JOB_ID],
            "get": {"summary": "A job and its result", "responses": shown},
            "delete": {"summary": "Cancel and forget a job", "responses": removed},
        },
        "/jobs/{id}/events": {
            "parameters": [JOB_ID],
            "get": {"summary": "Follow a job", "responses": events},
        },
    }
