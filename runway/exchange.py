"""One HTTP exchange without I/O: request -> call, output -> response.

The Flask route and the hot path both call these functions, so their answers are the same to the byte.
"""

from __future__ import annotations

import gzip
import json
import logging
import math
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import orjson

from runway.__version__ import __version__
from runway.compat import strict_sdk
from runway.engine import Engine
from runway.exceptions import FAULT, Refusal, RunwayError
from runway.invocation import Invocation, Output
from runway.jsonable import to_json
from runway.manifest import Command, Manifest

logger = logging.getLogger(__name__)
JSON_HEADERS: Mapping[str, str] = MappingProxyType({"Content-Type": "application/json"})
LONG_JSON_HEADERS = MappingProxyType({**JSON_HEADERS, "Vary": "Accept-Encoding"})
COMPRESS_MIN_BYTES = 500
COMPRESS_LEVEL = 4  # base64 shrinks by a quarter at any level; higher ones only cost time
MAX_BODY_BYTES = 128 << 20
LARGE_BYTES = 65_536
SHORT_BYTES = 4096
ITEM_BYTES = 32  # of JSON text that take as long to write as a number does
SCALARS = frozenset({float, int, bool, type(None)})
OUTPUT_FORMAT_HEADER = "x-runway-output-format"


class BadBodyError(Refusal):
    """The body of a request cannot be used; answered without a traceback, as the SDK always did."""

    code = 400

    def __init__(self, message: str, code: int = 400) -> None:
        super().__init__()
        self.message = message
        self.code = code


@dataclass(slots=True)
class Response:
    """Status, headers and body of an answer."""

    status: int
    body: bytes
    headers: Mapping[str, str]


@dataclass(slots=True)
class Call:
    """A request for a command: the JSON inputs as they came, and how the outputs are to look.

    `given` is None once an engine took the call (`Engine.note_command`), unless somebody watches.
    """

    command: Command
    given: Mapping[str, Any] | None
    formats: dict[str, str]
    is_stream: bool = False
    request_id: str | None = None

    def decode(self) -> Invocation:
        """The call for an engine. Raises `RunwayError` (400) naming a bad or missing input."""
        assert self.given is not None
        inputs = self.command.inputs.decode(self.given)
        return Invocation(self.command.name, inputs, self.formats, self.is_stream, self.request_id)

    def written(self, output: Output) -> bytes:
        """The JSON text of an output."""
        if isinstance(output.value, bytes):
            return output.value
        assert output.value is not None
        return dumps(self.command.outputs.encode(output.value, self.formats))


def open_call(
    manifest: Manifest,
    name: str,
    headers: Mapping[str, str],
    body: bytes,
    limit: int = MAX_BODY_BYTES,
) -> Call:
    """The call that `POST /<name>` asks for; `headers` have lower-case names, `limit` is that of `parse_body`.

    Raises:
        RunwayError: 400 for the body or a header, 404 for the name; in this order.
    """
    given = parse_body(headers, body, limit)
    command = manifest.command(name)
    formats = command.outputs.image_formats(headers.get(OUTPUT_FORMAT_HEADER))
    return Call(command, given, formats)


def body_too_large(limit: int) -> BadBodyError:
    """The error of a body of more than `limit` bytes (413)."""
    return BadBodyError(f"The body is larger than {limit} bytes (--max-body-mb)", 413)


def parse_body(headers: Mapping[str, str], body: bytes, limit: int = MAX_BODY_BYTES) -> Any:
    """The JSON object in a body, whatever its content type says; gzip is undone.

    Raises:
        BadBodyError: 400 if it is no JSON object, 413 if it inflates to more than `limit` bytes.
    """
    if headers.get("content-encoding", "").strip().lower() == "gzip":
        body = _inflate(body, limit)
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        value = _loads_again(body)
    if type(value) is dict:
        return value
    if value is None:
        raise BadBodyError("The body of all POST requests must contain JSON")
    raise BadBodyError(
        f"The body of all POST requests must be a JSON object, got {_json_kind(value)}"
    )


def _loads_again(body: bytes) -> Any:
    """JSON that orjson refuses for its lone surrogates; None for what is no JSON at all."""
    if b"\\ud" not in body and b"\\uD" not in body:
        return None
    try:
        return json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return None


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _json_kind(value: Any) -> str:
    kinds = {list: "a list", str: "a string", bool: "a boolean", int: "a number", float: "a number"}
    return kinds[type(value)]


def _inflate(body: bytes, limit: int) -> bytes:
    inflater = zlib.decompressobj(wbits=31)
    try:
        inflated = inflater.decompress(body, limit + 1)
    except zlib.error as error:
        raise BadBodyError(f"The body is not valid gzip: {error}") from error
    if len(inflated) > limit:
        raise BadBodyError(f"The body inflates to more than {limit} bytes (--max-body-mb)", 413)
    if not inflater.eof:
        raise BadBodyError("The body is not valid gzip: it ends too early")
    return inflated


def dumps(value: Any) -> bytes:
    """JSON text of an answer; non-finite numbers become null, or are written bare with `strict_sdk`."""
    if strict_sdk():
        value = _with_bare_constants(value)
    try:
        return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)
    except TypeError:  # integers over 64 bits and lone surrogates have a JSON form all the same
        return orjson.dumps(_as_fragments(value))


def _with_bare_constants(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_bare_constants(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_bare_constants(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return orjson.Fragment(json.dumps(value))
    return value


def _as_fragments(value: Any) -> Any:
    """The same object with every leaf that is no fragment yet written by `runway.jsonable`."""
    if isinstance(value, dict):
        return {str(key): _as_fragments(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_fragments(item) for item in value]
    return value if isinstance(value, orjson.Fragment) else orjson.Fragment(to_json(value))


def answer(value: Any, status: int = 200) -> Response:
    """A JSON response."""
    return Response(status, dumps(value), JSON_HEADERS)


def reply(call: Call, output: Output) -> Response:
    """The response to a call."""
    return Response(200, call.written(output), JSON_HEADERS)


def with_text(
    command: Command, event: Output | RunwayError, formats: Mapping[str, str]
) -> Output | RunwayError:
    """The same output as JSON text if it is short, so that a server of many workers need not write it.

    Longer ones are left to the server's threads, as a model waits meanwhile, and so are those that cannot be written:
    who asked is told of it there. An error stays as it is.
    """
    if isinstance(event, RunwayError):
        return event
    value = event.value
    if not isinstance(value, dict) or command.outputs.is_bulky or is_large(value, SHORT_BYTES):
        return event
    try:
        text = dumps(command.outputs.encode(value, formats))
    except Exception:
        return event
    return Output(text, event.progress, event.final)


def is_large(value: Mapping[str, Any] | bytes, room: int = LARGE_BYTES) -> bool:
    """Whether writing prepared outputs takes longer than `room` bytes of text or of an array do.

    By default it is what takes so long that an event loop should not do it.
    """
    if isinstance(value, bytes):
        return False
    for item in value.values():
        room = room - item.nbytes if type(item) is np.ndarray else _after_writing(item, room)
    return room < 0


def _after_writing(value: Any, room: int) -> int:
    """What is left of `room` bytes, below 0 as soon as there is none; a list is judged by its first item."""
    if isinstance(value, np.ndarray):
        return room - int(value.nbytes)
    if isinstance(value, (str, bytes)):
        return room - len(value)
    if isinstance(value, list):
        if not value or type(value[0]) in SCALARS:
            return room - ITEM_BYTES * len(value)
    elif not isinstance(value, dict):
        return room - ITEM_BYTES
    for item in value.values() if isinstance(value, dict) else value:
        room = _after_writing(item, room)
        if room < 0:
            break
    return room


def failure_body(error: RunwayError, request: str | None = None) -> dict[str, Any]:
    """What a client is told of an error, which is also logged, as the SDK always printed it.

    A process that did not set logging up prints it to stderr. `request` is the request's id.
    """
    if isinstance(error, Refusal):
        return error.to_response()
    body = error.to_response()
    if body["traceback"] or error.code == FAULT:  # not each call that a full queue turned away
        level = logging.ERROR if error.code >= FAULT else logging.WARNING
        text = "\n".join([error.message, *body["traceback"]])
        logger.log(level, "%s", text, extra={"request_id": request})
    return body


def failure(error: RunwayError, request: str | None = None) -> Response:
    """The response to an error of the request with this id."""
    response = answer(failure_body(error, request), error.code)
    if isinstance(error, Refusal):
        response.headers = {**response.headers, **error.headers}
    retry_after = getattr(error, "retry_after_s", None)
    if retry_after is not None:
        seconds = str(max(1, round(retry_after)))
        response.headers = {**response.headers, "Retry-After": seconds}
    return response


def compressed(response: Response, accept_encoding: str, min_bytes: int) -> Response:
    """The same response as the client wants it: gzip for long bodies if it accepts that."""
    if len(response.body) < min_bytes or "Content-Encoding" in response.headers:
        return response
    usual = response.headers is JSON_HEADERS
    response.headers = (
        LONG_JSON_HEADERS if usual else {**response.headers, "Vary": "Accept-Encoding"}
    )
    if accepts_gzip(accept_encoding):
        response.body = gzip.compress(response.body, COMPRESS_LEVEL, mtime=0)
        response.headers = {**response.headers, "Content-Encoding": "gzip"}
    return response


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether an `Accept-Encoding` value allows gzip."""
    if not accept_encoding:
        return False
    for item in accept_encoding.lower().split(","):
        coding, _, weight = item.partition(";")
        if coding.strip() in ("gzip", "*"):
            return weight.strip().replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def describe(engine: Engine) -> dict[str, Any]:
    """The object that `GET /meta` shows."""
    return {
        "modelSDKVersion": __version__,
        "millisRunning": _millis_since(engine.started_at) or 0,
        "millisSinceLastCommand": _millis_since(engine.last_command_at),
        "GPU": engine.has_gpu(),
        **engine.manifest.to_dict(),
    }


def _millis_since(moment: float | None) -> int | None:
    return None if moment is None else round((time.monotonic() - moment) * 1000)
