"""The page's routes: files, the way there, uploads. No browser is needed for these."""

from __future__ import annotations

import io
import posixpath
import re
import tarfile
from pathlib import Path

import pytest

from runway import RunwayModel, text
from runway.uploads import UploadError, Uploads
from runway.workspace import FOLDER, page_files

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.fixture
def client():
    model = RunwayModel()
    model.command("ui", inputs={"x": text}, outputs={"y": text})(lambda _, inputs: inputs["x"])
    return model.app.test_client()


@pytest.mark.parametrize("path", ["/", "/ui"])
def test_browsers_are_sent_to_the_page_by_a_relative_address(client, path):
    answer = client.get(path, headers=BROWSER)

    assert (answer.status_code, answer.headers["Location"]) == (302, "ui/")


@pytest.mark.parametrize("accept", [None, "*/*", "application/json", "application/json, text/html"])
def test_programs_get_the_manifest_at_the_root(client, accept):
    answer = client.get("/", headers={} if accept is None else {"Accept": accept})

    assert answer.json["commands"][0]["name"] == "ui"


def test_a_command_called_ui_is_still_served(client):
    assert client.post("/ui", json={"x": "hello"}).json == {"y": "hello"}
    assert client.get("/ui").json["name"] == "ui"


def test_the_page_says_that_nothing_may_come_from_elsewhere(client):
    answer = client.get("/ui/")

    assert answer.content_type == "text/html; charset=utf-8"
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_the_browser_is_told_of_all_modules_at_once(client):
    page = client.get("/ui/").text
    told = re.findall(r'rel="modulepreload" href="([^"]+)"', page)
    texts = {name: (FOLDER / name).read_text() for name in told}
    asked = {
        posixpath.normpath(f"{name}/../{other}")
        for name, text in texts.items()
        for other in re.findall(r'from "(\.[^"]+)"', text)
    }

    assert "js/main.mjs" in told
    assert len(told) == len(set(told)) > 40
    assert asked == set(told) - {"js/main.mjs"}


def test_every_file_is_served_with_its_type(client):
    types = {".mjs": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
    for name in page_files():
        answer = client.get(f"/ui/{name}")
        expected = types.get(Path(name).suffix, "text/html")
        assert answer.status_code == 200
        assert answer.content_type.startswith(expected), name
    assert len(page_files()) > 40


def test_a_file_that_did_not_change_is_not_sent_again(client):
    first = client.get("/ui/js/main.mjs")
    again = client.get("/ui/js/main.mjs", headers={"If-None-Match": first.headers["ETag"]})

    assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize(
    "path", ["/ui/nothing.mjs", "/ui/../app.py", "/ui/%2e%2e/app.py", "/ui/vendor/LICENSE.htm/.."]
)
def test_only_files_of_the_page_are_served(client, path):
    assert client.get(path).status_code == 404


def test_no_file_of_ours_names_another_host():
    for name, path in page_files().items():
        if not name.startswith("vendor/"):
            addresses = path.read_text("utf8").replace("http://www.w3.org/2000/svg", "")
            assert "http://" not in addresses, name
            assert "https://" not in addresses.replace("on https:// and on", ""), name


def test_vendored_files_have_their_licences():
    licences = {path.name for path in (FOLDER / "vendor").glob("LICENSE.*")}

    assert licences == {"LICENSE.preact", "LICENSE.htm", "LICENSE.fflate"}


def test_an_upload_keeps_its_name_and_content(client):
    answer = client.post("/ui/files?name=a/b/weights.pth", data=b"\x00\x01")

    path = Path(answer.json["path"])
    assert path.name == "weights.pth"
    assert path.read_bytes() == b"\x00\x01"


def test_pages_of_other_sites_may_not_upload(client):
    own = {"Origin": "http://localhost"}
    other = {"Origin": "http://example.com"}

    assert client.post("/ui/files?name=a", data=b"1", headers=other).status_code == 403
    assert client.post("/ui/files?name=a", data=b"1", headers=own).status_code == 200


@pytest.mark.parametrize("name", ["", "..", "/", "a/.."])
def test_an_upload_without_a_name_is_refused(client, name):
    answer = client.post("/ui/files", query_string={"name": name}, data=b"1")

    assert answer.status_code == 400
    assert "file name" in answer.json["error"]


def tar_of(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def test_a_folder_arrives_as_a_folder(client):
    body = tar_of({"a.txt": b"one", "deep/b.txt": b"two"})

    answer = client.post("/ui/files?name=data.tar&unpack=1", data=body)

    folder = Path(answer.json["path"])
    assert (folder / "a.txt").read_bytes() == b"one"
    assert (folder / "deep" / "b.txt").read_bytes() == b"two"


def test_a_folder_that_leads_out_of_itself_is_refused(client):
    body = tar_of({"../out.txt": b"1"})

    answer = client.post("/ui/files?name=data.tar&unpack=1", data=body)

    assert answer.status_code == 400
    assert "could not be unpacked" in answer.json["error"]


def test_uploads_that_are_too_long_leave_nothing(tmp_path):
    uploads = Uploads(lambda: str(tmp_path), max_bytes=10)

    with pytest.raises(UploadError) as caught:
        uploads.keep("a", io.BytesIO(b"x" * 11), is_archive=False)

    assert (caught.value.code, caught.value.message) == (413, "The file is larger than 10 bytes")
    assert list(tmp_path.iterdir()) == []


def test_the_oldest_upload_goes_when_the_sum_is_too_large(tmp_path):
    uploads = Uploads(lambda: str(tmp_path), max_total_bytes=25)

    paths = [uploads.keep("a", io.BytesIO(b"x" * 10), is_archive=False) for _ in range(3)]

    assert [Path(path).exists() for path in paths] == [False, True, True]


def test_the_page_is_told_which_routes_a_server_has_beyond_the_sdks():
    assert b'data-routes=""' in RunwayModel().app.test_client().get("/ui/").data

    model = RunwayModel()
    model.app.add_url_rule("/ready", "ready", lambda: "yes")
    model.app.add_url_rule("/metrics", "metrics", lambda: "1")
    assert b'data-routes="metrics ready"' in model.app.test_client().get("/ui/").data
