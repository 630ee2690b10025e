"""The workspace: a page that turns a model's data types into controls, served under `ui/` of every model.

The page is plain files in `runway/ui`; it knows the model by `GET meta` and nothing else. Here are its routes: the
files, uploads for `file` inputs, and the way there for a browser that asks for `/`.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
from functools import cache
from pathlib import Path

from flask import Flask, request
from flask import Response as FlaskResponse
from werkzeug.exceptions import Forbidden, NotFound

from runway import exchange
from runway.access import is_foreign_page
from runway.downloads import FilePolicy, FileSession
from runway.uploads import Uploads

FOLDER = Path(__file__).parent / "ui"
INDEX = "index.html"
MAIN = "js/main.mjs"
IMPORT = re.compile(r"""^(?:import|export|\}) (?:[^"';()]* )?(?:from )?["'](\.[^"']+)["'];""", re.M)
OPTIONAL_ROUTES = frozenset(
    {"/ready", "/metrics"}
)  # of runway-serve; the page is told, or it would ask in vain
CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
# Nothing from elsewhere, ever; pictures, videos and workers of the page's own making are data: and blob:.
POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' data: blob:",
        "media-src 'self' data: blob:",
        "connect-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'self'",
    )
)
HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def add_workspace(app: Flask, uploads_directory: str | None = None) -> None:
    """Give an app the page's routes.

    Args:
        app: the model's app.
        uploads_directory: where uploaded files are kept; None makes a folder that goes with this process.
    """
    uploads = Uploads((lambda: uploads_directory) if uploads_directory else _own_directory)

    def page(name: str = INDEX) -> FlaskResponse:
        path = page_files().get(name)
        if path is None:
            raise NotFound
        content = path.read_bytes()
        if name == INDEX:
            routes = sorted(OPTIONAL_ROUTES & {rule.rule for rule in app.url_map.iter_rules()})
            names = " ".join(route[1:] for route in routes)
            content = content.replace(b'data-routes=""', f'data-routes="{names}"'.encode(), 1)
            content = content.replace(b"  </head>", f"{preloads()}  </head>".encode(), 1)
        headers = {**HEADERS, "Content-Type": CONTENT_TYPES[path.suffix]}
        response = FlaskResponse(content, headers=headers)
        response.set_etag(hashlib.sha256(content).hexdigest()[:32], weak=True)
        response.make_conditional(request)
        return response

    def upload() -> FlaskResponse:
        refuse_other_sites()
        request.max_content_length = uploads.max_bytes
        is_archive = request.args.get("unpack") == "1"
        path = uploads.keep(request.args.get("name", ""), request.stream, is_archive)
        return FlaskResponse(
            exchange.dumps({"path": path}), headers={"Content-Type": "application/json"}
        )

    app.add_url_rule("/ui/", "runway_page", page, methods=["GET"])
    app.add_url_rule("/ui/<path:name>", "runway_page_file", page, methods=["GET"])
    app.add_url_rule("/ui/files", "runway_upload", upload, methods=["POST"])


@cache
def page_files() -> dict[str, Path]:
    """Relative name -> file of everything the page consists of."""
    found = (path for path in FOLDER.rglob("*") if path.suffix in CONTENT_TYPES)
    return {path.relative_to(FOLDER).as_posix(): path for path in found}


@cache
def preloads() -> str:
    """Links that have the browser fetch all modules at once; it would else learn of them one import after another."""
    found: dict[str, None] = {}
    names = [MAIN]
    while names:
        name = names.pop()
        if name not in found:
            found[name] = None
            text = page_files()[name].read_text()
            names += [posixpath.normpath(f"{name}/../{other}") for other in IMPORT.findall(text)]
    return "".join(f'    <link rel="modulepreload" href="{name}">\n' for name in found)


def wants_page() -> bool:
    """Whether the request comes from someone who would rather read HTML than JSON: a browser's address bar."""
    best = request.accept_mimetypes.best_match(["application/json", "text/html"])
    return best == "text/html"


def to_page() -> FlaskResponse:
    """The way from `/` or `/ui` to the page, relative, so that it holds below any path of a proxy."""
    return FlaskResponse(status=302, headers={"Location": "ui/", "Vary": "Accept"})


def refuse_other_sites() -> None:
    """Let only pages of this very server pass; programs, which name no origin, pass too.

    Raises:
        Forbidden: a page of another site sent the request.
    """
    if is_foreign_page({name.lower(): value for name, value in request.headers.items()}):
        raise Forbidden


@cache
def _own_directory() -> str:
    return FileSession(FilePolicy()).scratch_directory()
