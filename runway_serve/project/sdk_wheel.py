"""The wheel of the runway-serve that runs now, installed or from a checkout, made without a network.

An image or environment gets exactly this version: an index may have another one, or somebody else's of that name.
"""

from __future__ import annotations

import base64
import hashlib
import os
import zipfile
from collections.abc import Iterator
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

DISTRIBUTION = "runway-serve"
# Two of them lie elsewhere in a checkout; in an installed copy the second finds what the others found already.
PACKAGES = ("runway", "runway_serve", "runway_serve.workers", "runway_serve.batching")
WHEEL_TEXT = (
    "Wheel-Version: 1.0\nGenerator: runway-serve\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
)
EPOCH = (1980, 1, 1, 0, 0, 0)  # equal code gives an equal file, which keeps image layers cached


class NoWheelError(Exception):
    """The running code has no package metadata, so no wheel can be made of it."""


def write_wheel(folder: Path) -> Path:
    """Write the wheel into the folder; returns its path. Equal code gives equal bytes.

    Raises:
        NoWheelError: runway-serve runs from a folder and was never installed.
    """
    try:
        distribution = metadata.distribution(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        raise NoWheelError(
            "runway-serve is not installed, so it cannot be packed; pip install it, or give --sdk-wheel FILE"
        ) from None
    stem = f"{DISTRIBUTION.replace('-', '_')}-{distribution.version}"
    files = dict(_modules())
    files |= _metadata(distribution, f"{stem}.dist-info")
    record = f"{stem}.dist-info/RECORD"
    lines = [_record_line(name, content) for name, content in files.items()]
    files[record] = "".join([*lines, f"{record},,\n"]).encode()
    target = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
    return target


def _modules() -> Iterator[tuple[str, bytes]]:
    """Name in the wheel and content of every file of our packages."""
    for package in PACKAGES:
        spec = find_spec(package)
        places = spec.submodule_search_locations if spec else None
        if not places:
            raise NoWheelError(f"{package} cannot be found")
        root = Path(places[0])
        for folder, names, files in os.walk(root):
            names[:] = sorted(name for name in names if name != "__pycache__")
            for file in sorted(files):
                path = Path(folder, file)
                name = Path(*package.split("."), path.relative_to(root))
                yield name.as_posix(), path.read_bytes()


def _metadata(distribution: metadata.Distribution, folder: str) -> dict[str, bytes]:
    found = {"WHEEL": WHEEL_TEXT.encode()}
    # An editable install of old tools keeps PKG-INFO where others have METADATA.
    texts = {"METADATA": distribution.read_text("METADATA") or distribution.read_text("PKG-INFO")}
    texts |= {"entry_points.txt": distribution.read_text("entry_points.txt")}
    found |= {name: text.encode() for name, text in texts.items() if text}
    return {f"{folder}/{name}": content for name, content in found.items()}


def _record_line(name: str, content: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(content)}\n"
