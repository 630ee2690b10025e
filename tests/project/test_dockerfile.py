"""Generated Dockerfiles: whole texts against the ones in golden/, rules of hadolint, the order of layers.

After a wanted change: UPDATE_GOLDEN=1 python -m pytest tests/project/test_dockerfile.py, then read the difference.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from runway_serve.project.context import ignore_text
from runway_serve.project.dockerfile import STEP_RULES, base_dockerfile, dockerfile
from runway_serve.project.reading import read_description
from runway_serve.project.targets import resolve

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
YML = HERE.parent / "idioms" / "yml"
WHEEL = "runway_serve-1.0.0-py3-none-any.whl"
HADOLINT = Path(sys.executable).with_name("hadolint")
CASES = [
    (path.stem, environment)
    for path in sorted(YML.glob("*.yml"))
    for environment in read_description(path).environments
    if path.stem != "other_tool"
]
each_case = pytest.mark.parametrize(("name", "environment"), CASES, ids="-".join)


def generate(folder: Path, environment: str, **options) -> str:
    description = read_description(folder / "runway.yml")
    assert description.errors == []
    return dockerfile(resolve(description, environment, **options), WHEEL, folder)


@pytest.fixture
def model(tmp_path):
    """Writes a runway.yml of today with the given steps; returns its folder."""

    def write(*steps: str, keys: str = "") -> Path:
        lines = "".join(f"  - {step}\n" for step in steps)
        text = f"entrypoint: python a.py\npython: 3.12\n{keys}build_steps:\n{lines}"
        (tmp_path / "runway.yml").write_text(text)
        return tmp_path

    return write


def lint(text: str) -> str:
    ended = subprocess.run(
        [HADOLINT, "--no-color", "-"], input=text, capture_output=True, text=True, check=False
    )
    return ended.stdout + ended.stderr


@each_case
def test_text_is_the_golden_one(name, environment, tmp_path):
    shutil.copy(YML / f"{name}.yml", tmp_path / "runway.yml")
    (tmp_path / "requirements.txt").write_text("scipy\n")
    golden = HERE / "golden" / f"{name}.{environment}.Dockerfile"

    text = generate(tmp_path, environment, is_modern=True)

    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text)
    assert text == golden.read_text()


def test_every_golden_text_belongs_to_a_case():
    names = {path.name for path in (HERE / "golden").iterdir()}

    assert names == {f"{name}.{environment}.Dockerfile" for name, environment in CASES}


@each_case
def test_hadolint_finds_nothing(name, environment):
    assert lint((HERE / "golden" / f"{name}.{environment}.Dockerfile").read_text()) == ""


@pytest.mark.parametrize("environment", ["cpu", "gpu"])
def test_our_own_lines_need_no_leave_for_what_steps_may(environment, model):
    text = generate(model(keys="framework: pytorch\n"), environment)

    assert STEP_RULES not in text
    assert lint(text) == ""


def test_hadolint_is_really_asked():
    assert "DL3007" in lint("FROM debian:latest\n")


def test_sdk_is_put_over_what_steps_installed(model):
    lines = generate(model("pip install runway-python"), "cpu").splitlines()

    step = lines.index("RUN umask 0002; pip install runway-python")
    assert any("pip uninstall --yes runway-python" in line for line in lines[step:])
    assert any(
        f"--force-reinstall --no-deps /opt/runway-serve/{WHEEL}" in line for line in lines[step:]
    )


def test_requirements_are_installed_before_the_models_files_come(model):
    folder = model("pip install -r needs/all.txt", "python download.py", "pip install scipy")
    (folder / "needs").mkdir()
    (folder / "needs" / "all.txt").write_text("scipy>=1.10\n")

    lines = generate(folder, "cpu").splitlines()

    order = [
        "COPY --chown=runway:runway needs/all.txt needs/",
        "RUN umask 0002; pip install -r needs/all.txt",
        "COPY --chown=runway:runway . .",
        "RUN umask 0002; python download.py",
        "RUN umask 0002; pip install scipy",
    ]
    assert [line for line in lines if line in order] == order


@pytest.mark.parametrize(
    ("step", "requirements"),
    [
        ("pip install -r needs.txt", "-e .\n"),
        ("pip install -r needs.txt", "./lib\n"),
        ("pip install -r needs.txt", "lib\n"),
        ("pip install -r needs.txt", "-r more.txt\n"),
        ("pip install -r needs.txt && python setup.py install", "scipy\n"),
        ("pip install .", "scipy\n"),
        ("pip install lib", "scipy\n"),
        ("pip install -r missing.txt", "scipy\n"),
    ],
)
def test_a_step_that_reads_more_of_the_model_waits_for_all_files(model, step, requirements):
    folder = model(step)
    (folder / "needs.txt").write_text(requirements)
    (folder / "lib").mkdir()

    lines = generate(folder, "cpu").splitlines()

    assert lines.index("COPY --chown=runway:runway . .") < lines.index(f"RUN umask 0002; {step}")


def test_lists_of_packages_are_there_for_steps_that_rely_on_them(model):
    assert "RUN apt-get update\n\n" in generate(model("apt-get -y install ffmpeg"), "cpu")
    with_own = model("apt-get update && apt-get install -y ffmpeg")
    assert "RUN apt-get update\n\n" not in generate(with_own, "cpu")


def test_steps_that_a_dockerfile_would_misread_are_written_as_json(model):
    folder = model("|\n    echo one\n    echo two", "'cat > a <<E'", "'echo \\'")

    text = generate(folder, "cpu")

    assert r'RUN ["/bin/sh", "-c", "umask 0002; echo one\necho two"]' in text
    assert 'RUN ["/bin/sh", "-c", "umask 0002; cat > a <<E"]' in text
    assert r'RUN ["/bin/sh", "-c", "umask 0002; echo \\"]' in text


@pytest.mark.parametrize(("python", "archive"), [("3.12", False), ("3.11", True)])
def test_a_python_that_ubuntu_lacks_comes_from_another_archive(tmp_path, python, archive):
    (tmp_path / "runway.yml").write_text(f"entrypoint: python a.py\npython: '{python}'\n")

    text = generate(tmp_path, "gpu")

    assert ("ppa:deadsnakes/ppa" in text) == archive
    assert f"python{python} -m venv /opt/venv" in text


def test_a_given_base_image_is_left_as_it_is(model):
    text = generate(model("echo hi"), "cpu", base_image="localhost/base:3")

    assert text.splitlines()[2] == "FROM localhost/base:3"
    assert "apt-get" not in text
    assert "python3 -m venv /opt/venv" in text


def test_what_to_ignore_comes_from_the_file_and_the_authors_own(model):
    folder = model("pip install x", keys="files: {ignore: [./data/*, '*.yml']}\n")
    (folder / ".dockerignore").write_text("notes\n")
    description = read_description(folder / "runway.yml")

    lines = ignore_text(description, resolve(description, "cpu"), WHEEL).splitlines()

    assert lines[0] == "notes"
    assert lines[-5:] == [
        "data/*",
        "*.yml",
        ".runway-serve/*",
        f"!.runway-serve/{WHEEL}",
        "!runway.yml",
    ]
    assert ".git" in lines


def test_steps_that_use_git_get_the_repository(model):
    description = read_description(model("git submodule update --init") / "runway.yml")

    assert ".git" not in ignore_text(description, resolve(description, "cpu"), WHEEL).splitlines()


@pytest.mark.parametrize("environment", ["cpu", "gpu"])
def test_base_images_in_docker_are_the_ones_that_builds_begin_with(environment, tmp_path):
    (tmp_path / "runway.yml").write_text("entrypoint: python a.py\npython: 3.12\n")
    target = resolve(read_description(tmp_path / "runway.yml"), environment)
    path = ROOT / "docker" / f"base.{environment}.Dockerfile"

    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(base_dockerfile(target))
    assert path.read_text() == base_dockerfile(target)
    assert lint(path.read_text()) == ""


def test_golden_texts_name_no_newest_version():
    for path in (HERE / "golden").iterdir():
        assert not re.search(r"FROM \S+:latest", path.read_text()), path.name
