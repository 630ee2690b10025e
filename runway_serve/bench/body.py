"""What a request carries: JSON given as text or as a file, pictures put in as data URIs, headers."""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Sequence
from pathlib import Path

import orjson
import pybase64

from runway_serve.bench.target import BenchError


def read_body(given: str | None, images: Sequence[str] = ()) -> bytes:
    """The body to send: `given` as it stands, or with images put in as data URIs.

    Args:
        given: JSON, or the path of a file with JSON; None is an empty object.
        images: `NAME=FILE`; the file becomes the input of that name.

    Raises:
        BenchError: it is neither JSON nor a file with JSON, or an image cannot be put in.
    """
    text = b"{}" if given is None else _text(given)
    value = _parse(text, given or "")
    if not images:
        return text
    if not isinstance(value, dict):
        raise BenchError("--image needs a body that is a JSON object, as --body '{\"scale\": 2}'")
    return orjson.dumps({**value, **dict(_named_image(image) for image in images)})


def read_headers(given: Sequence[str]) -> dict[str, str]:
    """Headers of `Name: value` texts.

    Raises:
        BenchError: one is not of that form.
    """
    headers = {}
    for text in given:
        name, colon, value = text.partition(":")
        if not colon or not name.strip() or not text.isprintable():
            raise BenchError(f"--header {text!r} is not of the form 'Name: value'")
        headers[name.strip()] = value.strip()
    return headers


def _text(given: str) -> bytes:
    if given.lstrip()[:1] in ("{", "["):
        return given.encode()
    try:
        return Path(given).read_bytes()
    except FileNotFoundError:
        return given.encode()
    except OSError as error:
        raise BenchError(f"--body {given}: {error.strerror}") from error


def _parse(text: bytes, given: str) -> object:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        if text != given.encode():
            wish = f"; to send a picture use --image NAME={given}" if _is_image(given) else ""
            raise BenchError(f"--body {given}: the file is not JSON{wish}") from error
        shown = given if len(given) <= 60 else given[:57] + "..."
        reason = error.msg if isinstance(error, json.JSONDecodeError) else error
        raise BenchError(f"--body {shown} is neither a file nor JSON: {reason}") from error


def _is_image(path: str) -> bool:
    return (mimetypes.guess_type(path)[0] or "").startswith("image/")


def _named_image(text: str) -> tuple[str, str]:
    name, equals, path = text.partition("=")
    if not equals or not name or not path:
        raise BenchError(f"--image {text} is not of the form NAME=FILE")
    if not _is_image(path):
        raise BenchError(f"--image {text}: {path} has no ending of an image, as .png or .jpg")
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise BenchError(f"--image {text}: {error.strerror}") from error
    kind = mimetypes.guess_type(path)[0]
    return name, f"data:{kind};base64,{pybase64.b64encode(data).decode()}"
