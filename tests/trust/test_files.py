"""Files that inputs name: no path of the server, no address inside, no way out of an archive, bounds on each."""

from __future__ import annotations

import io
import os
import tarfile
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.serving import Served, serve
from tests.trust.kinds import ONE, SLACK_S, case, error_of, wait_for, written

REFUSED_IN_S = 1.0  # "within 1 s", as the case says
SCRIPT = """
import os, runway
from runway.data_types import any as anything, directory, file
@runway.command("read", inputs={"f": file}, outputs={"n": anything})
def read(m, a): return {"n": os.path.getsize(a["f"])}
@runway.command("list", inputs={"d": directory}, outputs={"n": anything})
def list_(m, a): return {"n": sorted(os.listdir(a["d"]))}
runway.run()
"""


@case(32)
@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "/etc/no-such-file",
        "/proc/self/environ",
        "../../../../etc/passwd",
        "file:///etc/passwd",
        "~/.ssh/id_rsa",
        "/etc/passwd\0.png",
        "/",
        ".",
    ],
)
def test_no_local_path_is_read_or_told_to_exist(two: Served, pids, path: str):
    refused = error_of(two.post("read", {"f": path}), 400, "Invalid argument: f.")

    there = error_of(two.post("read", {"f": "/etc/passwd"}), 400)
    absent = error_of(two.post("read", {"f": "/etc/no-such-file"}), 400)
    assert there == absent
    assert "passwd" not in refused


@case(33)
@pytest.mark.parametrize(
    "address",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://localhost:{port}/meta",
        "http://127.0.0.1:{port}/meta",
        "http://[::1]:{port}/meta",
        "http://0.0.0.0:{port}/meta",
        "http://2130706433:{port}/meta",
        "http://0x7f.1:{port}/meta",
        "http://[::ffff:127.0.0.1]:{port}/meta",
        "http://10.0.0.1/",
        "http://user:word@127.0.0.1:{port}/meta",
    ],
)
def test_no_inner_address_is_asked(two: Served, pids, address: str):
    began = time.monotonic()

    error_of(two.post("read", {"f": address.format(port=two.port)}), 400, "address not allowed")

    assert time.monotonic() - began < REFUSED_IN_S + SLACK_S


class Files(BaseHTTPRequestHandler):
    """Gives archives and long files, and one redirect to an address inside."""

    archives: dict[str, bytes]

    def do_GET(self):
        if self.path == "/inside":
            self.send_response(302)
            self.send_header("Location", "http://169.254.169.254/latest/")
            self.end_headers()
            return
        self.send_response(200)
        self.end_headers()
        try:
            if self.path == "/endless":
                while True:
                    self.wfile.write(bytes(65536))
            if self.path == "/slow":
                while True:
                    self.wfile.write(b".")
                    time.sleep(0.05)
            self.wfile.write(self.archives[self.path])
        except OSError:
            pass  # the server hung up, as it should

    def log_message(self, *_: object) -> None:
        pass


def tar(*members: tuple[str, bytes] | tarfile.TarInfo) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
                continue
            entry = tarfile.TarInfo(member[0])
            entry.size = len(member[1])
            archive.addfile(entry, io.BytesIO(member[1]))
    return buffer.getvalue()


def link(kind: bytes, name: str = "link", target: str = "/etc/passwd") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, target
    return entry


ARCHIVES = {
    "/good": tar(("a/one", b"1"), ("two", b"2")),
    "/parent": tar(("good", b"1"), ("../evil", b"2")),
    "/deep": tar(("a/b/../../../evil", b"2")),
    "/absolute": tar(("/tmp/runway-evil", b"2")),
    "/symlink": tar(link(tarfile.SYMTYPE)),
    "/hardlink": tar(link(tarfile.LNKTYPE)),
    "/device": tar(link(tarfile.CHRTYPE, "null")),
    "/pipe": tar(link(tarfile.FIFOTYPE, "pipe")),
    "/many": tar(*((f"{index}", b"") for index in range(40))),
    "/large": tar(("zeros", bytes(3 << 20))),
}


@pytest.fixture(scope="module")
def files() -> Iterator[str]:
    Files.archives = ARCHIVES
    server = ThreadingHTTPServer(("127.0.0.1", 0), Files)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def careful(files: str, tmp_path_factory) -> Iterator[Served]:
    """A server that may fetch from `files`, within small limits."""
    script = written(tmp_path_factory.mktemp("files"), SCRIPT)
    place = ("--allow-url", files.removeprefix("http://"))
    limits = ("--max-download-mb", "2", "--download-timeout", "1")
    archive = ("--max-archive-files", "10", "--max-archive-mb", "1")
    with serve(script, *ONE, *place, *limits, *archive) as server:
        yield server


@case(33)
def test_a_redirect_to_the_inside_is_refused(careful: Served, files: str):
    error_of(careful.post("read", {"f": f"{files}/inside"}), 400, "address not allowed")


@case(33)
@pytest.mark.parametrize(
    ("path", "limit"), [("/endless", "--max-download-mb"), ("/slow", "--download-timeout")]
)
def test_a_download_has_bounds(careful: Served, files: str, path: str, limit: str):
    error_of(careful.post("read", {"f": f"{files}{path}"}), 400, "Invalid argument: f.", limit)


@case(33)
def test_what_was_fetched_goes_with_its_request(careful: Served, files: str):
    assert careful.post("list", {"d": f"{files}/good"}).json() == {"n": ["a", "two"]}
    error_of(careful.post("list", {"d": f"{files}/parent"}), 400)

    folder = Path(os.environ["TMPDIR"])  # of this run of the tests
    assert list(folder.glob("runway-serve-*/worker-0.files")), "the place where it was"
    wait_for(lambda: not list(folder.glob("runway-serve-*/*.files/*")))


@case(34)
@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/parent", "leads out"),
        ("/deep", "leads out"),
        ("/absolute", "leads out"),
        ("/symlink", "a link or a device"),
        ("/hardlink", "a link or a device"),
        ("/device", "a link or a device"),
        ("/pipe", "a link or a device"),
        ("/many", "--max-archive-files"),
        ("/large", "--max-archive-mb"),
    ],
)
def test_an_unsafe_archive_is_refused_as_a_whole(careful: Served, files: str, path: str, said: str):
    error_of(careful.post("list", {"d": f"{files}{path}"}), 400, "Invalid argument: d.", said)

    assert not Path("/tmp/runway-evil").exists()
