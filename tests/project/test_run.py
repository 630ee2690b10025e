"""`runway-serve run`: a virtual environment made for real, build steps in it, a server out of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import ServerProcess
from tests.serving import stopping

READY_S = 500.0  # installs what the server needs
YML = """\
python: {python}
entrypoint: python runway_model.py --polite
spec: {{cpu: True, gpu: False}}
build_steps:
  - echo ran >> first.txt
  - test -e allowed
  - if_gpu: exit 1
  - python -c "import sys; print(sys.prefix)" > prefix.txt
"""
SCRIPT = """\
import sys
import runway

@runway.command("tell", inputs={"x": runway.text}, outputs={"y": runway.text})
def tell(model, inputs):
    return " ".join([sys.prefix, *sys.argv[1:]])

runway.run()
"""


@pytest.fixture
def model(tmp_path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    python = f"3.{sys.version_info.minor}"
    (folder / "runway.yml").write_text(YML.format(python=python))
    (folder / "runway_model.py").write_text(SCRIPT)
    return folder


@pytest.fixture
def environ(tmp_path) -> dict[str, str]:
    """Variables with a cache of this test's own."""
    return {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}


def run_line(model: Path, *flags: str) -> list[str]:
    return [sys.executable, "-m", "runway_serve", "run", str(model), *flags]


def refused(model: Path, environ, *flags: str) -> str:
    """What a `run` that does not come to serving prints on standard error."""
    ended = subprocess.run(
        run_line(model, *flags),
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1, ended.stderr
    return ended.stderr


def test_steps_are_shown_and_not_run_unasked(model, environ, tmp_path):
    said = refused(model, environ)

    assert "  echo ran >> first.txt\n" in said
    assert "exit 1" not in said
    assert said.endswith("nobody to ask; --yes runs the build steps\n")
    assert not (model / "first.txt").exists()
    assert not list((tmp_path / "cache").rglob("python"))


def test_what_spec_excludes_is_refused(model, environ):
    assert "spec.gpu is false" in refused(model, environ, "--gpu")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_failed_step_is_gone_on_from_and_the_second_start_has_nothing_to_do(model, environ):
    said = refused(model, environ, "--yes")
    assert "the build step of line 6 ended with 1: test -e allowed" in said

    (model / "allowed").touch()
    for _ in range(2):
        with served(model, environ) as server:
            prefix, *arguments = server.post("tell", {"x": ""}).json()["y"].split()
            log = server.log()

    assert Path(prefix).is_relative_to(environ["XDG_CACHE_HOME"])
    assert arguments == ["--polite"]
    assert (model / "prefix.txt").read_text().strip() == prefix
    assert (model / "first.txt").read_text() == "ran\n", "steps that succeeded are not run again"
    assert "build step" not in log, "the second start finds everything there"

    (model / "runway.yml").write_text((model / "runway.yml").read_text() + "  - echo new\n")
    assert "  echo new\n" in refused(model, environ)


def served(model: Path, environ):
    def build(port: int) -> ServerProcess:
        flags = ["--yes", "--", "--port", str(port), "--gpus", "none"]
        return ServerProcess(run_line(model, *flags), port=port, env=environ)

    return stopping(build, "/ready", lambda status, _: status == 200, READY_S, 0)
