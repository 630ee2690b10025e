"""The super-resolution example: its network, its tiles, and the whole of it behind the server."""

from __future__ import annotations

import base64
import importlib
import importlib.util
import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conformance.pictures import from_data_uri
from tests.examples.exhibition import photograph
from tests.serving import serve

torch = pytest.importorskip("torch", reason="the example is a PyTorch model")
pytestmark = pytest.mark.torch

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "super_resolution"
RANDOM = np.random.default_rng(0)


@pytest.fixture(scope="module")
def esrgan():
    spec = importlib.util.spec_from_file_location("esrgan", FOLDER / "esrgan.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def network(esrgan):
    return esrgan.load(FOLDER / "weights")


def interpret(arrays, x):
    """What the layer list of the published model says, one layer after the other."""
    conv, relu = torch.nn.functional.conv2d, torch.nn.functional.relu
    published = json.loads((FOLDER / "weights" / "model.json").read_text())
    values = {}
    for layer in published["modelTopology"]["model_config"]["config"]["layers"]:
        config, kind = layer["config"], layer["class_name"]
        name, nodes = config["name"], layer["inbound_nodes"]
        inputs = [values[node[0]] for node in nodes[0]] if nodes else [x]
        if kind == "Conv2D":
            kernel, bias = arrays[f"{name}/kernel"], arrays[f"{name}/bias"]
            values[name] = conv(inputs[0], kernel, bias, padding=config["kernel_size"][0] // 2)
        elif kind == "Concatenate":
            values[name] = torch.cat(inputs, dim=1)
        elif kind == "UpSampling2D":
            values[name] = inputs[0].repeat_interleave(4, 2).repeat_interleave(4, 3)
        elif kind in ("InputLayer", "Activation", "Add"):
            values[name] = relu(inputs[0]) if kind == "Activation" else sum(inputs)
        else:
            raise AssertionError(f"unknown layer {kind}")
    return values[name]


@pytest.mark.parametrize("shape", [(1, 3, 24, 31), (2, 3, 1, 1)])
def test_network_is_the_published_one(esrgan, network, shape):
    x = torch.from_numpy(RANDOM.uniform(0, 255, shape))
    arrays = {
        name: array.double() for name, array in esrgan.read_weights(FOLDER / "weights").items()
    }

    ours, published = network.double()(x), interpret(arrays, x)
    network.float()

    assert torch.abs(ours - published).max() < 1e-4  # of 255: kernels are added up in float32


def test_tiles_leave_no_seam(esrgan, network):
    picture = RANDOM.integers(0, 256, (70, 41, 3), dtype=np.uint8)

    whole = esrgan.enlarge(network, picture, tile=1024)
    tiled = esrgan.enlarge(network, picture, tile=32)

    assert tiled.shape == (280, 164, 3)
    assert np.abs(whole.astype(int) - tiled).max() <= 1  # a sum in another order may round apart


THICK = FOLDER / "weights" / "thick"
thick_fetched = pytest.mark.skipif(
    not (THICK / "model.json").is_file(),
    reason="110 MB: runway-serve examples fetch super_resolution --with thick",
)


@pytest.fixture(scope="module")
def thick(esrgan):
    sys.path.insert(0, str(FOLDER))  # rrdn imports esrgan
    try:
        module = importlib.import_module("rrdn")
    finally:
        sys.path.remove(str(FOLDER))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # threads that wait for each other take minutes on a busy machine
    yield module.load(THICK)
    torch.set_num_threads(threads)


@pytest.mark.slow
@thick_fetched
def test_thick_network_beats_bicubic_and_leaves_no_seam(esrgan, thick):
    original = photograph("astronaut").crop((160, 40, 288, 168))
    small = original.resize((32, 32), Image.Resampling.BICUBIC)

    whole = esrgan.enlarge(thick, np.asarray(small), tile=1024)
    tiled = esrgan.enlarge(thick, np.asarray(small), tile=16)

    bicubic = np.asarray(small.resize(original.size, Image.Resampling.BICUBIC))
    assert psnr(original, whole) > psnr(original, bicubic) + 0.3
    assert np.abs(whole.astype(int) - tiled).max() <= 1


def psnr(original, result):
    difference = np.asarray(original, float) - np.asarray(result, float)
    return 10 * np.log10(255**2 / np.mean(difference**2))


@pytest.mark.slow
@pytest.mark.skipif((THICK / "model.json").is_file(), reason="the thick weights are there")
def test_thick_network_without_its_weights_says_how_to_fetch_them():
    with serve(FOLDER, "--gpus", "none") as server:
        response = server.post("setup", {"network": "thick"})

        assert response.status_code == 500
        assert "examples fetch super_resolution --with thick" in response.text


def test_served_example_enlarges_pictures_of_any_kind():
    with serve(FOLDER, "--gpus", "none", "--cpu-workers", "1") as server:
        for mode, size in (("RGB", (37, 20)), ("L", (9, 1)), ("RGBA", (16, 16))):
            response = server.post("upscale", {"image": to_data_uri(mode, size)})

            assert response.status_code == 200, response.text
            label, picture = from_data_uri(response.json()["image"])
            assert (label, picture.mode) == ("png", "RGB")
            assert picture.size == (4 * size[0], 4 * size[1])

        assert server.post("setup", {"scale": "3", "tile": 32}).json() == {"success": True}
        response = server.post("upscale", {"image": to_data_uri("RGB", (40, 50))})
        assert from_data_uri(response.json()["image"])[1].size == (120, 150)

        assert server.post("setup", {"scale": "5"}).status_code == 400
        assert server.post("upscale", {"image": "no picture"}).status_code == 400


def to_data_uri(mode: str, size: tuple[int, int]) -> str:
    buffer = io.BytesIO()
    Image.new(mode, size, "orange").save(buffer, format="PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
