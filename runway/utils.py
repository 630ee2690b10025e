"""Small functions that scripts and tests of the first SDK import from here."""

from __future__ import annotations

import gzip
from typing import Any

import numpy as np


def gzip_compress(data: bytes | str) -> bytes:
    """Gzip form of bytes, or of text as UTF-8; the same input gives the same output."""
    return gzip.compress(data.encode() if isinstance(data, str) else data, mtime=0)


def gzip_decompress(data: bytes) -> bytes:
    """Bytes of a gzip form.

    Raises:
        OSError, EOFError, zlib.error: it is not one, or not a whole one.
    """
    return gzip.decompress(data)


def is_url(value: str) -> bool:
    """True for http and https addresses."""
    return value.lower().startswith(("http://", "https://"))


def try_cast_np_scalar(value: Any) -> Any:
    """Python value of a numpy scalar; anything else as it is."""
    return value.item() if isinstance(value, np.generic) else value


def cdist(a: Any, b: Any) -> np.ndarray[Any, Any]:
    """Euclidean distance of each row of `a` (n, d) to each row of `b` (m, d), as (n, m) float64."""
    left, right = np.asarray(a, np.float64), np.asarray(b, np.float64)
    difference = left[:, np.newaxis, :] - right[np.newaxis, :, :]
    return np.asarray(np.sqrt((difference**2).sum(axis=-1)))


def download_file(url: str) -> str:
    """Path of a fetched file, or of the folder of an unpacked tarball; see `runway.downloads`."""
    from runway.downloads import download  # scripts reach this module before they need the network

    return download(url)


def extract_tarball(path: str) -> str:
    """Fresh folder with the contents of a local tarball, which stays until the script's files are cleaned up."""
    from runway.downloads import unpack_local

    return unpack_local(path)


def get_color_palette(name: str = "glasbey_bw") -> list[list[int]]:
    """The 256 default label colours as [red, green, blue]; there is one palette."""
    from runway.data_types.glasbey import GLASBEY_BW

    if name != "glasbey_bw":
        raise ValueError(f"unknown palette {name}")
    return [list(colour) for colour in GLASBEY_BW]
