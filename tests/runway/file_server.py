"""Pages and archives, good and hostile, and the handler that serves them on 127.0.0.1 to the tests of downloads."""

import contextlib
import gzip
import io
import os
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def tarball(*members, mode="w:gz"):
    """Bytes of an archive; a member is (name, contents) or a finished TarInfo."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
                continue
            entry = tarfile.TarInfo(member[0])
            entry.size = len(member[1])
            archive.addfile(entry, io.BytesIO(member[1]))
    return buffer.getvalue()


def link(name, target, kind=tarfile.SYMTYPE):
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, target
    return entry


PAGES = {
    "/data.bin": b"\0" * 2048,
    "/noext": b"plain",
    "/x.a%2f..%2fb": b"odd",
    "/tree.tar.gz": tarball(("tree/a.txt", b"a"), ("./tree/sub/b.txt", b"b")),
    "/plain.tar": tarball(("a.txt", b"a"), mode="w"),
    "/tree.tar.bz2": tarball(("a.txt", b"a"), mode="w:bz2"),
    "/tree.tar.xz": tarball(("a.txt", b"a"), mode="w:xz"),
    "/text.gz": gzip.compress(b"no archive"),
    "/parent.tar": tarball(("fine.txt", b"f"), ("../evil.txt", b"e")),
    "/inner-parent.tar": tarball(("a/../../evil.txt", b"e")),
    "/absolute.tar": tarball(("/tmp/evil.txt", b"e")),
    "/symlink.tar": tarball(link("out", "/tmp"), ("out/evil.txt", b"e")),
    "/hardlink.tar": tarball(("a", b"a"), link("b", "a", tarfile.LNKTYPE)),
    "/fifo.tar": tarball(link("f", "", tarfile.FIFOTYPE)),
    "/clash.tar": tarball(("a", b"a"), ("a/b", b"b")),
    "/truncated.tar.gz": tarball(("a", os.urandom(50_000)))[:30_000],
    "/bomb.tar.gz": tarball(("zeros", b"\0" * 3_000_000)),
    "/large.tar.gz": tarball(("zeros", b"\0" * 5_000_000), ("after", b"a")),
    "/many.tar.gz": tarball(*[(f"f{index}", b"") for index in range(50)]),
}


def long_header():
    """An archive, small when packed, whose first header claims 50 MB."""
    entry = tarfile.TarInfo("././@PaxHeader")
    entry.type, entry.size = tarfile.XHDTYPE, 50_000_000
    return gzip.compress(entry.tobuf() + b"\0" * entry.size)


PAGES["/pax.tar.gz"] = long_header()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        path = self.path.partition("?")[0]
        if path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", path[len("/to/") :].replace("~", "/"))
            self.end_headers()
        elif path == "/drip":
            self.drip(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000)
        elif path == "/drip-body":
            self.drip(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1000)
        elif path == "/short":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nonly this")
        elif path == "/endless":
            self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
            with contextlib.suppress(OSError):
                while True:
                    self.wfile.write(b"x" * 65536)
        elif path in PAGES:
            self.send_response(200)
            self.send_header("Content-Length", str(len(PAGES[path])))
            self.end_headers()
            self.wfile.write(PAGES[path])
        else:
            self.send_error(404)

    def drip(self, data):
        with contextlib.suppress(OSError):
            for index in range(len(data)):
                self.wfile.write(data[index : index + 1])
                if self.server.stop.wait(0.02):
                    return

    def log_message(self, *args):
        pass


@contextlib.contextmanager
def serving(context=None):
    """A running server of the pages, over TLS if an SSL context is given."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked, server.stop = [], threading.Event()
    server.url = f"http://127.0.0.1:{server.server_port}"
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.stop.set()
        server.shutdown()
        server.server_close()
        thread.join()
