"""A proxy that ends TLS and serves a model below a path, as nginx with `location /a/b/ { proxy_pass http://it/; }`."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer

HEAD_BYTES = 65_536
SELF_SIGNED = [
    "openssl",
    "req",
    "-x509",
    "-newkey",
    "rsa:2048",
    "-nodes",
    "-days",
    "1",
    "-subj",
    "/CN=localhost",
    "-addext",
    "subjectAltName=DNS:localhost",
]


@dataclass(frozen=True)
class Proxy:
    """Where it is, and whom its certificate names."""

    url: str
    certificate: str


@contextmanager
def tls_proxy(port: int, prefix: str, passes_host: bool, folder: Path) -> Iterator[Proxy]:
    """A proxy before 127.0.0.1:`port`; `prefix` ends with a slash."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        [*SELF_SIGNED, "-keyout", str(key), "-out", str(certificate)],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    place = {"context": context, "port": port, "prefix": prefix, "passes_host": passes_host}
    server = _Server(("127.0.0.1", 0), type("OnePassage", (_Passage,), place))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield Proxy(f"https://localhost:{server.server_address[1]}{prefix}", str(certificate))
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingTCPServer):
    block_on_close = True


class _Passage(BaseRequestHandler):
    """One connection: one request, or a WebSocket to its end."""

    context: ssl.SSLContext
    port: int
    prefix: str
    passes_host: bool

    def handle(self) -> None:
        with suppress(OSError), self.context.wrap_socket(self.request, server_side=True) as client:
            data = b""
            while b"\r\n\r\n" not in data and len(data) < HEAD_BYTES:
                if not (more := client.recv(HEAD_BYTES)):
                    return
                data += more
            head, _, rest = data.partition(b"\r\n\r\n")
            passed = self._passed_on(head.decode("latin1").split("\r\n"))
            if passed is None:
                client.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
                return
            with closing(socket.create_connection(("127.0.0.1", self.port), 30)) as model:
                model.sendall(passed.encode("latin1") + rest)
                back = threading.Thread(target=_pump, args=(client, model))
                back.start()
                _pump(model, client)
                back.join()

    def _passed_on(self, lines: list[str]) -> str | None:
        method, path, version = lines[0].split(" ")
        if not path.startswith(self.prefix):
            return None
        named = [line.partition(": ")[::2] for line in lines[1:]]
        headers = {name.lower(): value for name, value in named}
        if "upgrade" not in headers:
            headers["connection"] = "close"
        if not self.passes_host:
            headers["host"] = f"127.0.0.1:{self.port}"
        headers["x-forwarded-proto"] = "https"
        told = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"{method} /{path.removeprefix(self.prefix)} {version}\r\n{told}\r\n"


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(HEAD_BYTES):
            target.sendall(data)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
