"""file and directory values; downloads themselves are tested in test_downloads."""

import os
from pathlib import Path

import pytest

from runway.data_types import directory, file
from runway.downloads import FilePolicy, file_session
from runway.exceptions import InvalidArgumentError


def refusal(data_type, value):
    with pytest.raises(InvalidArgumentError) as caught:
        data_type.named("doc").deserialize(value)
    assert caught.value.message.startswith("Invalid argument: doc. ")
    return caught.value.message.removeprefix("Invalid argument: doc. ")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "inner").mkdir()
    (tmp_path / "weights.h5").write_text("w")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_description_has_what_is_set():
    full = file(is_directory=True, extension=".x", default="p", description="d").to_dict()

    assert full == {
        "type": "file",
        "name": "file",
        "description": "d",
        "isDirectory": True,
        "extension": ".x",
        "default": "p",
    }
    assert file("what").to_dict() == {"type": "file", "name": "file", "description": "what"}
    assert directory(default="p").to_dict()["isDirectory"] is True


def test_local_values_are_passed_on_as_they_are(folder):
    assert file(extension=".h5").deserialize("weights.h5") == "weights.h5"
    assert file().deserialize(Path("weights.h5")) == "weights.h5"
    assert file().deserialize(str(folder / "inner")) == str(folder / "inner")
    assert directory().deserialize("inner") == "inner"


def test_a_missing_file_is_told_before_a_wrong_extension(folder):
    assert refusal(file(extension=".h5"), "absent.txt") == "file path provided does not exist"
    assert refusal(file(extension=".h5"), "absent.h5") == "file path provided does not exist"
    assert refusal(file(extension=".txt"), "weights.h5") == (
        "file path does not have expected extension"
    )


def test_a_directory_is_not_a_file(folder):
    assert refusal(directory(), "weights.h5") == "expected a directory or a tarball"
    assert refusal(file(is_directory=True), "weights.h5") == "expected a directory or a tarball"


@pytest.mark.parametrize("address", ["file:///etc/hostname", "ftp://127.0.0.1:9/x.txt", "data:,x"])
def test_other_schemes_are_paths_that_do_not_exist(address):
    assert refusal(file(), address) == "file path provided does not exist"


@pytest.mark.parametrize("value", [5, None, True, ["a"], {}])
def test_other_kinds_are_refused(value):
    assert refusal(file(), value).startswith("expected a path or an address, got ")


def test_the_extension_of_an_address_is_checked_before_it_is_fetched():
    # nothing listens there: fetching it would fail with another message
    assert refusal(file(extension=".h5"), "http://127.0.0.1:9/hello.txt?x=.h5") == (
        "file path does not have expected extension"
    )
    assert refusal(file(extension=".h5"), "HTTP://127.0.0.1:9/hello.h5") == (
        "file could not be downloaded"
    )


def test_a_refused_path_gives_no_hint_whether_it_exists(folder):
    with file_session(FilePolicy(allow_paths=(str(folder / "inner"),))):
        answers = {refusal(file(), path) for path in ("/etc/passwd", "/etc/no-such-file")}

    assert len(answers) == 1


def test_outputs_are_paths_as_they_are():
    assert file().serialize("some/file.bin") == "some/file.bin"
    assert directory().serialize(Path("/some/folder")) == os.path.join("/some", "folder")
    assert file().serialize(None) is None
