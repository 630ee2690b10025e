"""The Flask application: every HTTP route of the protocol, over any engine.

`POST /<command>` is served here for `app.test_client()` and in-process use; a server answers it in `runway.asgi`, with
the same functions of `runway.exchange`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from flask import Flask, g, request
from flask import Response as FlaskResponse
from flask_cors import CORS
from werkzeug.exceptions import HTTPException, MethodNotAllowed, RequestEntityTooLarge

from runway import exchange
from runway.access import UNAUTHORIZED
from runway.engine import Engine, call_and_wait
from runway.exceptions import RunwayError
from runway.openapi import document
from runway.request_ids import request_id
from runway.workspace import add_workspace, to_page, wants_page

HTTP_ERRORS = {
    401: UNAUTHORIZED,
    403: "Forbidden.",
    404: "Not found.",
    405: "Method not allowed.",
    500: "Internal server error.",
}


def create_app(
    engine: Engine,
    uploads_directory: str | None = None,
    *,
    max_body_bytes: int = exchange.MAX_BODY_BYTES,
    origins: Sequence[str] | None = None,
) -> Flask:
    """The Flask app that speaks the protocol for `engine`, and has the workspace page.

    Args:
        engine: what answers.
        uploads_directory: where the page's uploads are kept; None makes a folder that goes with this process.
        max_body_bytes: limit of a body, also after gzip is undone.
        origins: sites whose pages may read the answers; None allows all.
    """
    app = Flask("runway", static_folder=None)
    app.config["COMPRESS_MIN_SIZE"] = exchange.COMPRESS_MIN_BYTES
    app.config["MAX_CONTENT_LENGTH"] = max_body_bytes
    app.config["CORS_ORIGINS"] = "*" if origins is None else list(origins)
    CORS(app)
    _add_routes(app, engine, max_body_bytes)
    add_workspace(app, uploads_directory)
    _add_error_handlers(app, max_body_bytes)
    app.after_request(_compress(app))
    app.after_request(_name)
    return app


def _add_routes(app: Flask, engine: Engine, max_body_bytes: int) -> None:
    def meta() -> FlaskResponse:
        return _flask(exchange.answer(exchange.describe(engine)))

    def root() -> FlaskResponse:
        return to_page() if wants_page() else meta()

    def ui() -> FlaskResponse:
        return to_page() if wants_page() else usage("ui")

    def healthcheck() -> FlaskResponse:
        return _flask(exchange.answer({"status": engine.status()}))

    def openapi() -> FlaskResponse:
        if "openapi.json" in engine.manifest.commands:
            return usage("openapi.json")
        routes = {rule.rule for rule in app.url_map.iter_rules()}
        return _flask(exchange.answer(document(engine.manifest, routes)))

    def list_options() -> FlaskResponse:
        return _flask(exchange.answer(engine.manifest.options.to_dict()))

    def setup() -> FlaskResponse:
        given = exchange.parse_body(_headers(), _body(max_body_bytes), max_body_bytes)
        engine.setup(given)
        return _flask(exchange.answer({"success": True}))

    def usage(name: str) -> FlaskResponse:
        return _flask(exchange.answer(engine.manifest.command(name).to_dict()))

    def command(name: str) -> FlaskResponse:
        try:
            body = _body(max_body_bytes)
            call = exchange.open_call(engine.manifest, name, _headers(), body, max_body_bytes)
            call.request_id = _own_id()
            invocation = call.decode()
        except RunwayError as error:
            engine.note_refused(name, error.code)
            raise
        engine.note_command(call)
        output = call_and_wait(engine, invocation)
        response = exchange.reply(call, output)
        watch = engine.watch
        if watch is not None:
            watch(call, response.body)
        return _flask(response)

    for rule, view, method in (
        ("/", root, "GET"),
        (
            "/ui",
            ui,
            "GET",
        ),  # its own rule, or Flask would send API clients from the command to the page
        ("/meta", meta, "GET"),
        ("/healthcheck", healthcheck, "GET"),
        ("/openapi.json", openapi, "GET"),
        ("/setup", list_options, "GET"),
        ("/setup", setup, "POST"),
        ("/<name>", usage, "GET"),
        ("/<name>", command, "POST"),
    ):
        app.add_url_rule(rule, f"runway_{view.__name__}_{rule}", view, methods=[method])


def _add_error_handlers(app: Flask, max_body_bytes: int) -> None:
    def on_http_error(error: HTTPException) -> FlaskResponse:
        if error.code == 413:
            return _flask(
                exchange.failure(
                    exchange.body_too_large(request.max_content_length or max_body_bytes)
                )
            )
        code = error.code or 500
        text = HTTP_ERRORS.get(code, f"{error.name}.")
        response = _flask(exchange.answer({"error": text}, code))
        if isinstance(error, MethodNotAllowed):
            response.allow.update(error.valid_methods or ())
        return response

    def on_runway_error(error: RunwayError) -> FlaskResponse:
        return _flask(exchange.failure(error, _own_id()))

    def on_any_error(error: Exception) -> FlaskResponse:
        app.logger.exception("%s %s failed", request.method, request.path)
        return _flask(exchange.answer({"error": HTTP_ERRORS[500]}, 500))

    app.register_error_handler(HTTPException, on_http_error)
    app.register_error_handler(RunwayError, on_runway_error)
    app.register_error_handler(Exception, on_any_error)


def _compress(app: Flask) -> Callable[[FlaskResponse], FlaskResponse]:
    def compress(response: FlaskResponse) -> FlaskResponse:
        if response.direct_passthrough or response.is_streamed or request.method == "HEAD":
            return response
        body = response.get_data()
        small = exchange.compressed(
            exchange.Response(response.status_code, body, dict(response.headers)),
            request.headers.get("Accept-Encoding", ""),
            app.config["COMPRESS_MIN_SIZE"],
        )
        if small.headers.get("Vary") == "Accept-Encoding":
            response.vary.add("Accept-Encoding")
        if small.body is not body:
            response.set_data(small.body)
            response.headers["Content-Encoding"] = "gzip"
        return response

    return compress


def _name(response: FlaskResponse) -> FlaskResponse:
    response.headers["X-Request-Id"] = _own_id()
    response.headers.pop("Date", None)  # the server says it, once
    return response


def _own_id() -> str:
    """The id of the request at hand."""
    if "request_id" not in g:
        g.request_id = request_id(_headers())
    own: str = g.request_id
    return own


def _body(limit: int) -> bytes:
    """The body of the request; Flask itself would cut a chunked one off at the limit without a word."""
    try:
        body = request.get_data()
    except RequestEntityTooLarge:
        raise exchange.body_too_large(limit) from None
    if len(body) >= limit and request.environ["wsgi.input"].read(1):
        raise exchange.body_too_large(limit)
    return body


def _headers() -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}


def _flask(response: exchange.Response) -> FlaskResponse:
    headers: dict[str, Any] = dict(response.headers)
    return FlaskResponse(response.body, response.status, headers)
