"""`check`, `build` and `run` as their user meets them: on the command line, with what they print and return."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from runway_serve.project.context import Context
from runway_serve.project.engines import build_command, find_engine
from runway_serve.project.folder import ProjectError
from runway_serve.project.sdk_wheel import write_wheel

YML = Path(__file__).resolve().parents[1] / "idioms" / "yml"
SCRIPT = """\
import runway
print("loading")

@runway.command("greet", inputs={"name": runway.text}, outputs={"line": runway.text})
def greet(model, inputs):
    return "Hello"

runway.run()
"""


def command(*words: str | Path, **options) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "runway_serve", *(str(word) for word in words)]
    return subprocess.run(
        line, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, **options
    )


@pytest.fixture
def model(tmp_path):
    """A model's folder by the name of `face`, with a runway.yml of the given text."""

    def write(yml: str = "python: 3.12\nentrypoint: python runway_model.py\n", script=SCRIPT):
        folder = tmp_path / "face"
        folder.mkdir()
        (folder / "runway.yml").write_text(yml)
        (folder / "runway_model.py").write_text(script)
        return folder

    return write


class TestCheck:
    def test_a_good_folder_shows_targets_and_commands(self, model):
        ended = command("check", model())

        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert ended.stdout.splitlines() == [
            "CPU: python:3.12-slim-bookworm, Python 3.12, 0 build steps",
            "GPU: nvidia/cuda:12.8.1-cudnn-runtime-ubuntu24.04, Python 3.12, 0 build steps",
            "script: greet(name: text) -> line: text",
        ]

    def test_mistakes_end_it_with_1(self, model):
        folder = model("entrypoint: python runway_model.py\npython: 9\n")

        ended = command("check", folder)

        assert ended.returncode == 1
        assert ended.stdout.startswith(f"{folder}/runway.yml:2: error: python must be 2.7 or 3.5")

    def test_a_script_that_is_not_there_is_named_with_its_line(self, model):
        folder = model("python: 3.12\nentrypoint: python other.py\n")

        assert f"{folder}/runway.yml:2: error: entrypoint: other.py does not exist" in (
            command("check", folder).stdout
        )

    def test_old_versions_are_no_mistake_but_told(self, model):
        ended = command("check", model((YML / "minimal_no_version.yml").read_text()), "--no-script")

        assert ended.returncode == 0
        assert "line 2: python 3.6 -> python 3.12" in ended.stdout
        assert "--modern would change" in ended.stdout

    def test_a_script_that_fails_shows_its_own_words(self, model):
        ended = command("check", model(script="import no_such_package\n"))

        assert ended.returncode == 1
        assert "ModuleNotFoundError: No module named 'no_such_package'" in ended.stdout
        assert "`runway-serve run` installs it" in ended.stdout

    def test_a_script_that_never_ends_is_ended(self, model):
        ended = command("check", model(script="import time\ntime.sleep(600)\n"), "--timeout", "0.5")

        assert ended.returncode == 1
        assert "told nothing within 0.5 s" in ended.stdout

    def test_a_folder_without_a_model(self, tmp_path):
        ended = command("check", tmp_path)

        assert ended.returncode == 1
        assert "has neither runway.yml nor runway_model.py" in ended.stderr


class TestBuild:
    def test_versions_that_are_gone_stand_in_the_way(self, model):
        ended = command("build", model((YML / "template_full.yml").read_text()), "--cpu")

        assert ended.returncode == 1
        assert "--modern would change\n  line 3: python 3.6 -> python 3.12" in ended.stderr

    def test_modern_says_what_it_changed(self, model):
        folder = model((YML / "template_full.yml").read_text())

        ended = command("build", folder, "--cpu", "--modern", "--dry-run")

        assert ended.returncode == 0, ended.stderr
        assert "modern: line 6: tensorflow 1.12 -> tensorflow 2.21.0" in ended.stderr
        assert "FROM python:3.12-slim-bookworm\n" in ended.stdout
        assert "# secrets.txt\n" in ended.stdout

    def test_a_dry_run_leaves_no_trace(self, model):
        folder = model()
        before = sorted(folder.rglob("*"))

        assert command("build", folder, "--dry-run").returncode == 0
        assert sorted(folder.rglob("*")) == before

    def test_what_spec_excludes_is_not_built(self, model):
        yml = "python: 3.12\nentrypoint: python runway_model.py\nspec:\n  gpu: False\n"

        ended = command("build", model(yml), "--gpu", "--dry-run")

        assert ended.returncode == 1
        assert "runway.yml:4: spec.gpu is false" in ended.stderr

    def test_engine_gets_files_tags_and_the_users_own_options(self, model, tmp_path):
        folder, log = model(), tmp_path / "log"
        place = tmp_path / "bin"
        place.mkdir()
        (place / "podman").write_text(f'#!/bin/sh\necho "$@" >> {log}\n')
        (place / "podman").chmod(stat.S_IRWXU)

        ended = command(
            "build", folder, "--tag", "face:2", "--engine", "podman", "--", "--no-cache",
            env={**os.environ, "PATH": f"{place}:{os.environ['PATH']}"},
        )  # fmt: skip

        assert ended.returncode == 0, ended.stderr
        output = folder / ".runway-serve"
        assert log.read_text().splitlines() == [
            f"build --format docker --ignorefile {output}/Dockerfile.{name}.dockerignore "
            f"--file {output}/Dockerfile.{name} --tag face:2-{name} --no-cache {folder}"
            for name in ("cpu", "gpu")
        ]
        assert [path.suffix for path in output.glob("*.whl")] == [".whl"]

    def test_failure_of_the_engine_is_the_exit_code(self, model, tmp_path):
        (tmp_path / "docker").write_text('#!/bin/sh\n[ "$1" = version ] || exit 7\n')
        (tmp_path / "docker").chmod(stat.S_IRWXU)
        path = f"{tmp_path}:{os.environ['PATH']}"

        ended = command("build", model(), "--cpu", env={**os.environ, "PATH": path})

        assert ended.returncode == 7
        assert "docker ended with 7" in ended.stderr

    def test_a_wheel_that_is_not_there(self, model):
        ended = command("build", model(), "--dry-run", "--sdk-wheel", "no.whl")

        assert ended.returncode == 1
        assert "--sdk-wheel no.whl: no such wheel" in ended.stderr


class TestEngines:
    def test_the_first_that_works_is_taken(self, tmp_path, monkeypatch):
        for name, text in (("docker", "echo no daemon >&2; exit 1"), ("buildah", "exit 0")):
            (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
            (tmp_path / name).chmod(stat.S_IRWXU)
        monkeypatch.setenv("PATH", str(tmp_path))

        assert find_engine(None) == "buildah"
        with pytest.raises(ProjectError, match="docker: no daemon"):
            find_engine("docker")

    def test_none_says_why_for_each(self, tmp_path, monkeypatch):
        monkeypatch.setenv("PATH", str(tmp_path))

        with pytest.raises(ProjectError, match=r"docker: not installed; podman: not .*--dry-run"):
            find_engine(None)

    def test_docker_finds_the_ignore_file_by_its_name(self):
        context = Context(Path("/m"), Path("/m/.runway-serve/Dockerfile.cpu"))

        line = build_command("docker", context, "face", [])

        assert "--ignorefile" not in line
        assert context.ignore_file == Path("/m/.runway-serve/Dockerfile.cpu.dockerignore")


class TestWheel:
    def test_equal_code_gives_equal_bytes(self, tmp_path):
        (tmp_path / "a").mkdir()
        (tmp_path / "b").mkdir()

        first, second = write_wheel(tmp_path / "a"), write_wheel(tmp_path / "b")

        assert first.read_bytes() == second.read_bytes()

    def test_every_module_is_in_it_once(self, tmp_path):
        names = zipfile.ZipFile(write_wheel(tmp_path)).namelist()

        assert len(names) == len(set(names))
        wanted = {"runway/model.py", "runway_serve/cli.py", "runway_serve/workers/loop.py"}
        assert wanted | {"runway_serve/batching/lane.py", "runway/py.typed"} <= set(names)
        assert not [name for name in names if "__pycache__" in name]

    def test_pip_takes_it(self, tmp_path):
        wheel = write_wheel(tmp_path)
        options = ["--no-deps", "--no-index", "--quiet", "--target", tmp_path / "place"]
        line = [sys.executable, "-m", "pip", "install", *options, wheel]

        subprocess.run([str(word) for word in line], check=True, capture_output=True)

        assert (tmp_path / "place" / "runway_serve" / "workers" / "loop.py").is_file()
        assert (tmp_path / "place" / "bin" / "runway-serve").is_file()
