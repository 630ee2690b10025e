"""Policies, sessions, downloads and archives; the only server is this test's own, on 127.0.0.1."""

import contextlib
import contextvars
import gzip
import io
import os
import socket
import tarfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from runway import downloads, fetch
from runway.downloads import FilePolicy, download, file_session, local_path
from runway.fetch import is_public


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


@pytest.fixture(scope="module")
def server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked, server.stop = [], threading.Event()
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()

    yield server

    server.stop.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def scratch(tmp_path, monkeypatch):
    """A temporary folder of the test, so that what is left behind can be seen."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def listing(folder):
    return sorted(
        os.path.relpath(os.path.join(base, name), folder)
        for base, _, names in os.walk(folder)
        for name in names
    )


@pytest.mark.parametrize(
    ("page", "suffix"), [("/data.bin", ".bin"), ("/noext", ""), ("/data.bin?token=1", ".bin")]
)
def test_a_download_keeps_the_suffix_and_goes_with_the_session(server, scratch, page, suffix):
    with file_session():
        path = download(server.url + page)

        assert os.path.splitext(path)[1] == suffix
        assert open(path, "rb").read() == PAGES[page.partition("?")[0]]  # noqa: SIM115

    assert list(scratch.iterdir()) == []


def test_kept_sessions_stay_until_they_are_closed(server, scratch):
    with file_session(keep=True) as session:
        path = download(server.url + "/noext")

    assert os.path.exists(path)
    session.close()
    assert list(scratch.iterdir()) == []


def test_a_session_that_fails_cleans_up_too(server, scratch):
    with pytest.raises(KeyError), file_session():
        download(server.url + "/tree.tar.gz")
        raise KeyError

    assert list(scratch.iterdir()) == []


def test_generators_may_end_their_sessions_in_any_order_and_context(server, scratch):
    def stream(name):
        with file_session(FilePolicy(allow_paths=(name,))):
            yield downloads.current_policy()
            yield downloads.current_policy()

    first, second = stream("/first"), stream("/second")
    assert next(first).allow_paths == ("/first",)
    assert next(second).allow_paths == ("/second",)
    contextvars.copy_context().run(first.close)
    second.close()

    assert downloads.current_policy() == FilePolicy()


def test_the_suffix_of_an_address_cannot_leave_the_scratch_folder(server, scratch):
    PAGES["/x.a%2f..%2fb"] = b"odd"

    with file_session():
        path = download(server.url + "/x.a%2f..%2fb")

        assert os.path.splitext(path)[1] == ""


@pytest.mark.parametrize(
    ("page", "files"),
    [
        ("/tree.tar.gz", ["tree/a.txt", "tree/sub/b.txt"]),
        ("/plain.tar", ["a.txt"]),
        ("/tree.tar.bz2", ["a.txt"]),
        ("/tree.tar.xz", ["a.txt"]),
        ("/large.tar.gz", ["after", "zeros"]),
    ],
)
def test_tarballs_are_unpacked_to_a_fresh_folder(server, page, files):
    with file_session():
        assert listing(download(server.url + page)) == files


@pytest.mark.parametrize("page", ["/data.bin", "/text.gz", "/noext"])
def test_other_contents_stay_files(server, page):
    with file_session():
        assert os.path.isfile(download(server.url + page))


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ("/parent.tar", "leads out of its folder"),
        ("/inner-parent.tar", "leads out of its folder"),
        ("/absolute.tar", "leads out of its folder"),
        ("/symlink.tar", "link or a device"),
        ("/hardlink.tar", "link or a device"),
        ("/fifo.tar", "link or a device"),
        ("/clash.tar", "could not be unpacked"),
        ("/truncated.tar.gz", "could not be unpacked"),
        ("/bomb.tar.gz", "unpacks to more than 1000000 bytes"),
        ("/many.tar.gz", "more than 20 members"),
    ],
)
def test_unsafe_archives_are_refused_and_write_nothing_outside(server, scratch, page, message):
    policy = FilePolicy(max_members=20, max_unpacked_bytes=1_000_000)

    with pytest.raises(ValueError, match=message), file_session(policy):
        download(server.url + page)

    assert list(scratch.iterdir()) == []
    assert not os.path.exists("/tmp/evil.txt")


def test_an_archive_cannot_make_us_read_a_huge_header_into_memory(server):
    entry = tarfile.TarInfo("././@PaxHeader")
    entry.type, entry.size = tarfile.XHDTYPE, 50_000_000
    PAGES["/pax.tar.gz"] = gzip.compress(entry.tobuf() + b"\0" * 50_000_000)

    with file_session(), pytest.raises(ValueError, match="too large"):
        downloads.unpack_local(download(server.url + "/pax.tar.gz"))


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("/absent.txt", "server answered HTTP 404"),
        ("/short", "could not be downloaded"),
        ("/to/ftp:~~127.0.0.1~x", "only http and https"),
        ("/to/file:~~~etc~passwd", "only http and https"),
        ("/to/", "redirect without an address"),
        ("/endless", "larger than 100000 bytes"),
        ("/tree space.txt", "HTTP 404"),
    ],
)
def test_failed_downloads_say_why(server, address, message):
    with file_session(FilePolicy(max_bytes=100_000)), pytest.raises(ValueError, match=message):
        download(server.url + address)


def test_redirects_are_followed_a_few_times(server):
    with file_session():
        assert open(download(server.url + "/to/~noext")).read() == "plain"  # noqa: SIM115
        with pytest.raises(ValueError, match="more than 5 redirects"):
            download(server.url + "/to/" + "~to/" * 9 + "~noext")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9/x",
        "http://no-such-host.invalid/",
        "http://",
        "http://[::1",
        "http://h:99999/",
    ],
)
def test_unreachable_and_malformed_addresses_are_refused(url):
    with file_session(), pytest.raises(ValueError, match=r"download|address|URL"):
        download(url)


@pytest.mark.parametrize("page", ["/drip", "/drip-body"])
def test_a_slow_server_is_left_at_the_time_limit(server, page):
    began = time.monotonic()

    with (
        file_session(FilePolicy(timeout_s=0.4)),
        pytest.raises(ValueError, match=r"longer than 0\.4 s"),
    ):
        download(server.url + page)

    assert time.monotonic() - began < 3


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "169.254.169.254", "192.168.1.1", "172.16.0.1", "100.64.0.1", "0.0.0.0",
        "224.0.0.1", "255.255.255.255", "240.0.0.1", "::1", "::", "fe80::1%eth0", "fc00::1", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::",
        "2001:0:4136:e378:8000:63bf:80ff:fffe",
    ],
)  # fmt: skip
def test_private_addresses_are_known_in_every_form(address):
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_public_addresses_are_known(address):
    assert is_public(address)


def test_private_addresses_need_to_be_listed(server):
    asked = len(server.asked)

    for url in (
        server.url,
        "http://169.254.169.254/latest",
        f"http://localhost:{server.server_port}",
        "http://2130706433/",
    ):
        with (
            file_session(FilePolicy(allow_hosts=())),
            pytest.raises(ValueError, match="address not allowed"),
        ):
            download(f"{url}/noext")
    assert len(server.asked) == asked
    for listed in ("127.0.0.1", f"127.0.0.1:{server.server_port}"):
        with file_session(FilePolicy(allow_hosts=(listed,))):
            download(server.url + "/noext")
    with (
        file_session(FilePolicy(allow_hosts=("127.0.0.1:1",))),
        pytest.raises(ValueError, match="not allowed"),
    ):
        download(server.url + "/noext")


def test_each_redirect_is_checked_again(server):
    asked = len(server.asked)

    with (
        file_session(FilePolicy(allow_hosts=("127.0.0.1",))),
        pytest.raises(ValueError, match="address not allowed"),
    ):
        download(f"{server.url}/to/http:~~localhost:{server.server_port}~noext")

    assert len(server.asked) == asked + 1


def test_the_checked_address_is_the_one_connected_to(server, monkeypatch):
    answers = iter([[(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.8.8", 80))]])
    connected = []
    monkeypatch.setattr(fetch.socket, "getaddrinfo", lambda *args, **kwargs: next(answers))
    monkeypatch.setattr(
        fetch.socket,
        "create_connection",
        lambda address, timeout: connected.append(address) or 1 / 0,
    )

    with file_session(FilePolicy(allow_hosts=())), pytest.raises(ZeroDivisionError):
        download("http://rebinding.example/x")

    assert connected == [("8.8.8.8", 80)]


def test_one_private_answer_among_public_ones_refuses_the_name(monkeypatch):
    entries = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 80)) for ip in ("8.8.8.8", "10.0.0.1")
    ]
    monkeypatch.setattr(fetch.socket, "getaddrinfo", lambda *args, **kwargs: entries)

    with (
        file_session(FilePolicy(allow_hosts=())),
        pytest.raises(ValueError, match="address not allowed"),
    ):
        download("http://mixed.example/x")


def test_local_paths_are_free_without_a_policy(tmp_path):
    (tmp_path / "a.txt").write_text("a")

    assert local_path(str(tmp_path / "a.txt")) == str(tmp_path / "a.txt")
    for absent in (str(tmp_path / "b.txt"), "", "a\0b", "x" * 5000):
        with pytest.raises(ValueError, match="does not exist"):
            local_path(absent)


def test_local_paths_stay_below_the_allowed_directories(tmp_path, monkeypatch):
    inside, outside = tmp_path / "in", tmp_path / "in-not"
    for folder in (inside, outside):
        folder.mkdir()
        (folder / "a.txt").write_text("a")
    (inside / "link.txt").symlink_to(outside / "a.txt")
    monkeypatch.chdir(outside)

    with file_session(FilePolicy(allow_paths=(str(inside),))):
        assert local_path(str(inside / "a.txt")) == str(inside / "a.txt")
        assert local_path("a.txt") == str(inside / "a.txt")
        for path, message in [
            (str(inside / "absent"), "does not exist"),
            ("absent", "does not exist"),
            (str(outside / "a.txt"), "not in an allowed directory"),
            (str(outside / "absent"), "not in an allowed directory"),
            (str(inside / "link.txt"), "not in an allowed directory"),
            (str(inside / ".." / "in-not" / "a.txt"), "not in an allowed directory"),
            ("../in-not/a.txt", "not in an allowed directory"),
            ("../absent", "not in an allowed directory"),
            ("/etc/passwd\0", "not in an allowed directory"),
        ]:
            with pytest.raises(ValueError, match=message):
                local_path(path)
    with (
        file_session(FilePolicy(allow_paths=())),
        pytest.raises(ValueError, match="not in an allowed"),
    ):
        local_path(str(inside / "a.txt"))


def test_without_a_session_files_stay_until_the_process_ends(server, scratch):
    path = download(server.url + "/noext")

    assert os.path.exists(path)
    downloads._outside.close()
    downloads._outside.is_open = True
