"""Policies, sessions and archives; the only server is the tests' own, on 127.0.0.1."""

import contextvars
import os

import pytest

from runway import downloads
from runway.downloads import FilePolicy, download, file_session, local_path
from tests.runway.file_server import PAGES

pytestmark = pytest.mark.usefixtures("scratch")


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
    with file_session(), pytest.raises(ValueError, match="too large"):
        downloads.unpack_local(download(server.url + "/pax.tar.gz"))


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
