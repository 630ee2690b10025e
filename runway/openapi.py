"""`GET /openapi.json`: the server's routes and the model's commands as an OpenAPI 3.1 document, made from the manifest.

What values look like is told by `runway.json_schema`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any
from urllib.parse import quote

from runway.__version__ import __version__
from runway.json_schema import Schema, fields_schema
from runway.manifest import Command, Fields, Manifest

JSON_TYPE = "application/json"
EVENTS_TYPE = "text/event-stream"
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
EVENT: Schema = {
    "type": "object",
    "required": ["event", "data"],
    "properties": {
        "event": {"enum": ["output", "succeeded", "failed", "cancelled"]},
        "data": {"type": "string", "description": "JSON."},
    },
}
ERROR = {"$ref": "#/components/schemas/Error"}
PREFER = {
    "name": "Prefer",
    "in": "header",
    "description": "`respond-async` for a job instead of an answer.",
    "schema": {"type": "string", "examples": ["respond-async"]},
}
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
    answers["202"]["links"] = _JOB_LINKS
    answers["200"]["content"][EVENTS_TYPE] = {"schema": EVENT}
    operation = {
        "summary": f"Run {command.name}",
        "parameters": [PREFER],
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


def _body(fields: Fields) -> dict[str, Any]:
    return {"required": True, "content": {JSON_TYPE: {"schema": fields_schema(fields)}}}


_JOB = "#/components/schemas/Job"
_JOB_LINKS = {
    name: {"operationId": name, "parameters": {"id": "$response.body#/id"}}
    for name in ("showJob", "removeJob", "followJob")
}


def _job_paths() -> dict[str, Any]:
    missing = _errors(status_404="There is no such job.")
    shown = {"200": _response("The job.", {"$ref": _JOB}), **missing}
    events = {"200": _response("Its events.", EVENT, EVENTS_TYPE), **missing}
    removed = {"204": {"description": "It is cancelled, if it ran, and forgotten."}, **missing}
    return {
        "/jobs/{id}": {
            "parameters": [JOB_ID],
            "get": _operation("showJob", "A job and its result", shown),
            "delete": _operation("removeJob", "Cancel and forget a job", removed),
        },
        "/jobs/{id}/events": {
            "parameters": [JOB_ID],
            "get": _operation("followJob", "Follow a job", events),
        },
    }


def _operation(name: str, summary: str, responses: Mapping[str, Any]) -> dict[str, Any]:
    return {"operationId": name, "summary": summary, "responses": responses}
