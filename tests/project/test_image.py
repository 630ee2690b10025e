"""From a model's folder to an answer out of its container: a real build, a real run, no stand-ins."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runway_serve.project.dockerfile import USER_ID
from tests.processes import ServerProcess
from tests.project.storage import BASE, Storage
from tests.serving import stopping

MISSING = [name for name in ("buildah", "debootstrap") if shutil.which(name) is None]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(bool(MISSING), reason=f"needs {' and '.join(MISSING)}"),
    pytest.mark.skipif(os.geteuid() != 0, reason="buildah without namespaces needs root"),
]
IMAGE = "localhost/greeter:1"
READY_S = 120.0
SCRIPT = """\
import pathlib
import runway

@runway.command("greet", inputs={"name": runway.text}, outputs={"line": runway.text})
def greet(model, inputs):
    pathlib.Path("written/last.txt").write_text(inputs["name"])
    word = pathlib.Path("word.txt").read_text().strip()
    return f"{word}, {inputs['name']}!"

@runway.command("see", inputs={"path": runway.text}, outputs={"there": runway.boolean})
def see(model, inputs):
    return pathlib.Path(inputs["path"]).exists()

runway.run()
"""
# The old SDK is a package named runway-python that owns a `runway`: this one would break the model.
OLD_SDK = """\
from setuptools import setup
setup(name="runway-python", version="0.6.1", packages=["runway"])
"""
YML = """\
python: 3.11
entrypoint: python runway_model.py
spec: {cpu: True, gpu: False}
files:
  ignore: [secret.txt, "data/*"]
build_steps:
  - mkdir written && export WORD=Bonjour
  - if_cpu: echo "Hello$WORD" > word.txt
  - if_gpu: exit 1
  - pip install --no-build-isolation ./old_sdk
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("greeter")
    (folder / "runway_model.py").write_text(SCRIPT)
    (folder / "runway.yml").write_text(YML)
    (folder / "secret.txt").write_text("not for the image")
    (folder / "data").mkdir()
    (folder / "data" / "large.bin").write_bytes(bytes(1024))
    (folder / "old_sdk" / "runway").mkdir(parents=True)
    (folder / "old_sdk" / "setup.py").write_text(OLD_SDK)
    (folder / "old_sdk" / "runway" / "__init__.py").write_text("raise ImportError('old SDK')")
    return folder


@pytest.fixture(scope="module")
def storage(tmp_path_factory) -> Iterator[Storage]:
    storage = Storage(tmp_path_factory.mktemp("storage"))
    storage.make_base()
    yield storage
    shutil.rmtree(storage.folder)  # every layer is a whole copy: too large to keep for three runs


@pytest.fixture(scope="module")
def built(model, storage) -> str:
    """What the build printed."""
    command = [sys.executable, "-m", "runway_serve", "build", str(model), "--tag", IMAGE]
    command += ["--base-image", BASE, "--engine", "buildah", "--", "--network", "host"]
    ended = subprocess.run(
        command, env=storage.environ(), capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout[-6000:] + ended.stderr[-6000:]
    return ended.stdout


@pytest.fixture(scope="module")
def container(built, storage) -> Iterator[str]:
    name = storage.buildah("from", IMAGE)
    yield name
    storage.buildah("rm", name)


@pytest.fixture(scope="module")
def server(container, storage):
    entrypoint = storage.configuration(IMAGE)["Entrypoint"]

    def build(port: int) -> ServerProcess:
        place = ["--env", f"RW_PORT={port}", "--env", "RW_HOST=127.0.0.1"]
        command = ["buildah", "run", *place, container, "--", *entrypoint, "--gpus", "none"]
        return ServerProcess(command, port=port, env=storage.environ())

    with stopping(build, "/ready", lambda status, _: status == 200, READY_S, None) as served:
        yield served


def test_build_says_what_it_made_and_how_to_go_on(built):
    assert "STEP " in built, "the engine's own progress is shown"
    assert f"built {IMAGE} in " in built.splitlines()[-1]


def test_image_knows_its_server(built, storage):
    configuration = storage.configuration(IMAGE)

    assert configuration["Entrypoint"] == ["runway-serve", "/model"]
    assert configuration["User"] == str(USER_ID)
    assert list(configuration["ExposedPorts"]) == ["9000/tcp"]
    assert configuration["Healthcheck"]["Test"][0] == "CMD"


def test_command_is_answered_after_steps_that_each_had_a_shell_of_their_own(server):
    assert server.post("greet", {"name": "Ada"}).json() == {"line": "Hello, Ada!"}


def test_server_may_write_where_a_step_made_a_folder(server):
    server.post("greet", {"name": "Grace"})

    assert server.post("see", {"path": "written/last.txt"}).json() == {"there": True}


@pytest.mark.parametrize("path", ["secret.txt", "data/large.bin", ".runway-serve"])
def test_ignored_files_stay_outside(server, path):
    assert server.post("see", {"path": f"/model/{path}"}).json() == {"there": False}


def test_processes_are_not_roots(server, container, storage):
    assert storage.buildah("run", container, "--", "id", "-u") == str(USER_ID)


def test_health_check_of_the_image_passes_while_it_serves(server, container, storage):
    check = storage.configuration(IMAGE)["Healthcheck"]["Test"][1:]
    port = ["--env", f"RW_PORT={server.port}"]

    assert storage.buildah("run", *port, container, "--", *check) == ""
    nobody = ["buildah", "run", "--env", "RW_PORT=1", container, "--", *check]
    assert subprocess.run(nobody, env=storage.environ(), check=False).returncode == 1
