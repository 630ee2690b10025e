"""What `from runway.data_types import *` hands out to scripts that never imported it themselves."""

import ast
import gzip
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest

import runway
from runway import data_types
from runway.utils import cdist, gzip_compress, gzip_decompress

# as the census of public scripts found them used
TYPES = {
    *("any", "array", "boolean", "category", "directory", "file", "image", "image_bounding_box"),
    *("image_landmarks", "image_point", "number", "point", "segmentation", "text", "vector"),
}
ALONG_WITH_THEM = {
    *("BaseType", "np", "Image", "os", "sys", "json", "math", "base64", "inspect", "tarfile"),
    *("IO", "cdist", "MissingArgumentError", "InvalidArgumentError", "is_url", "download_file"),
    *("extract_tarball", "try_cast_np_scalar", "get_color_palette"),
}


def test_the_star_hands_out_types_and_what_came_with_them():
    names = {}
    exec("from runway.data_types import *", names)

    assert names.keys() >= TYPES | ALONG_WITH_THEM
    assert names["point"] is names["image_point"]
    assert names["np"] is np
    assert names["any"]().type == "any"


def test_the_package_reaches_the_same_names():
    for name in TYPES | ALONG_WITH_THEM:
        assert getattr(runway, name) is getattr(data_types, name)


def imported_by(node):
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""]
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else []


def test_data_types_import_no_web_server_and_no_framework():
    sources = [m.__file__ for n, m in sys.modules.items() if n.startswith("runway.data_types")]
    imported = {
        name.partition(".")[0]
        for source in sources
        for node in ast.walk(ast.parse(Path(source).read_text()))
        for name in imported_by(node)
    }

    assert len(sources) >= 8
    assert not imported & {"flask", "torch", "tensorflow", "werkzeug", "requests", "scipy"}


def test_cdist_is_the_euclidean_distance_of_all_pairs():
    np.testing.assert_array_equal(cdist([[0, 0], [3, 4]], [[0, 0]]), [[0], [5]])


@pytest.mark.parametrize("data", [b"", b"abc" * 1000, "héé"])
def test_gzip_helpers_are_each_others_inverse(data):
    packed = gzip_compress(data)

    assert gzip_decompress(packed) == (data.encode() if isinstance(data, str) else data)
    assert gzip.decompress(packed) == gzip_decompress(packed)
    assert packed == gzip_compress(data)


def test_small_helpers_do_what_they_say(tmp_path):
    (tmp_path / "a.txt").write_text("a")
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "a.txt", "a.txt")

    folder = Path(data_types.extract_tarball(str(tmp_path / "a.tar.gz")))

    assert (folder / "a.txt").read_text() == "a"
    assert data_types.is_url("https://x/y")
    assert not data_types.is_url("file:///x")
    assert type(data_types.try_cast_np_scalar(np.float32(1))) is float
    assert data_types.try_cast_np_scalar("a") == "a"
    assert data_types.get_color_palette()[:2] == [[214, 0, 0], [140, 59, 255]]
