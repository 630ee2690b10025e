"""What the cases refer to: a small file server, a folder of local files, placeholders."""

from __future__ import annotations

import io
import tarfile
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.conformance.pictures import to_data_uri

NONCE = uuid.uuid4().hex[:10]  # names of files that must not appear outside, new in each run
LOCAL_FILES = {
    "hello.txt": "hello local\n",
    "weights.h5": "not really hdf5",
    "folder/one.txt": "1",
    "folder/inner/two.txt": "22",
}


def tarball(*members: tuple[str, bytes | tuple[bytes, str]]) -> bytes:
    """A tar.gz; a member's body is its bytes or (tar type, link target)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, body in members:
            member = tarfile.TarInfo(name)
            if isinstance(body, tuple):
                member.type, member.linkname = body
                tar.addfile(member)
            else:
                member.size = len(body)
                tar.addfile(member, io.BytesIO(body))
    return buffer.getvalue()


BODIES = {
    "/hello.txt": b"hello fixture\n",
    "/data.bin": bytes(range(256)) * 8,
    "/noext": b"no extension here",
    "/tree.tar.gz": tarball(("tree/a.txt", b"alpha"), ("tree/sub/b.txt", b"beta")),
    "/flat.tar.gz": tarball(("one.txt", b"1"), ("two.txt", b"22"), ("deep/three.txt", b"333")),
    "/escape.tar.gz": tarball(("ok.txt", b"ok"), (f"../escaped-{NONCE}.txt", b"out")),
    "/symlink.tar.gz": tarball(
        ("ok.txt", b"ok"), ("jump", (tarfile.SYMTYPE, "..")), (f"jump/escaped-{NONCE}.txt", b"out")
    ),
}


class FixtureHandler(BaseHTTPRequestHandler):
    """Serves `BODIES`, everything else is 404."""

    def do_GET(self) -> None:
        self.wfile.write(self.answer_headers())

    def do_HEAD(self) -> None:
        self.answer_headers()

    def answer_headers(self) -> bytes:
        body = BODIES.get(self.path.split("?")[0])
        self.send_response(404 if body is None else 200)
        body = b"missing" if body is None else body
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        return body

    def log_message(self, format: str, *args: object) -> None:
        """Silence: the cases say what matters."""


@contextmanager
def fixture_names() -> Iterator[dict[str, str]]:
    """Placeholders of the cases: `{fixtures}` a file server, `{tmp}` a folder, `{nonce}`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), FixtureHandler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        with TemporaryDirectory(prefix="conformance-") as folder:
            for name, text in LOCAL_FILES.items():
                path = Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            port = server.server_address[1]
            yield {"fixtures": f"http://127.0.0.1:{port}", "tmp": folder, "nonce": NONCE}
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def expand(value: Any, names: dict[str, str]) -> Any:
    """Fill in placeholders, draw `$make_image` pictures, repeat `$repeat` values."""
    if isinstance(value, str):
        for key, text in names.items():
            value = value.replace(f"{{{key}}}", text)
        return value
    if isinstance(value, dict):
        if set(value) == {"$make_image"}:
            return to_data_uri(value["$make_image"])
        if set(value) == {"$repeat"}:
            piece, count = value["$repeat"]
            return piece * count
        return {key: expand(item, names) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [expand(item, names) for item in value]
    return value
