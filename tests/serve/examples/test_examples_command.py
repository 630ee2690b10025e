"""`runway-serve examples`: what it lists, what it refuses, and one run from the name to an answer."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from runway_serve.examples.catalogue import ExamplesError, default_folder, find_examples
from tests.processes import ServerProcess, clean_env
from tests.serving import READY_S, stopping

MODEL = """
import runway


@runway.command("who", inputs={"x": runway.text}, outputs={"who": runway.text})
def who(model, inputs):
    return "the example"


runway.run()
"""
PACKAGE = """
packages:
  weights:
    from: npm
    name: x@1.0.0
    sha256: {sha256}
    size_mb: 2
    files: {{package/a: {place}}}
"""


def example(folder: Path, name: str, described: str) -> None:
    (folder / name).mkdir()
    (folder / name / "example.yml").write_text(described)
    (folder / name / "runway_model.py").write_text(MODEL)


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "runway_serve", "examples", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, env=clean_env(), timeout=60, check=False
    )


def test_list_names_each_example_with_what_it_needs(tmp_path):
    example(tmp_path, "plain", "title: Plain")
    example(tmp_path, "heavy", "title: Heavy\nneeds: {torch: torch>=2.1}")

    listed = run("--folder", tmp_path)

    assert (listed.returncode, listed.stderr) == (0, "")
    assert listed.stdout.splitlines() == [
        "heavy  Heavy",
        "       needs torch",
        "plain  Plain",
        "       needs nothing more",
    ]


def test_run_serves_an_example_by_its_name(tmp_path):
    example(tmp_path, "plain_one", "title: Plain")

    def build(port: int) -> ServerProcess:
        words = ["examples", "--folder", str(tmp_path), "run", "plain-one", "--", "--gpus", "none"]
        command = [sys.executable, "-m", "runway_serve", *words, "--port", str(port)]
        return ServerProcess(command, port=port)

    with stopping(build, "/ready", lambda status, _: status == 200, READY_S, 0) as server:
        assert server.post("who").json() == {"who": "the example"}


@pytest.mark.parametrize(
    ("described", "arguments", "told"),
    [
        ("title: A", ["fetch", "b"], "no example b; there are a"),
        ("title: A", ["fetch", "a", "--with", "thick"], "a has no part thick; it has none"),
        ("title: A\nneeds: {no_such: ./no.whl}", ["run", "a"], "cannot install ./no.whl"),
        ("title: A\nneeds: {no_such: ./no.whl}", ["run", "a", "--install"], "cannot install ./no"),
        ("titel: A", ["list"], "unknown key titel"),
        ("a: [", ["list"], "not YAML"),
        (
            "title: A" + PACKAGE.format(sha256="12", place="weights/a"),
            ["list"],
            "packages.weights.sha256: must be 64 hexadecimal digits",
        ),
        (
            "title: A" + PACKAGE.format(sha256="1" * 64, place="../a"),
            ["list"],
            "packages.weights.files: ../a is outside the example's folder",
        ),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(tmp_path, monkeypatch, described, arguments, told):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    example(tmp_path, "a", described)

    refused = run("--folder", tmp_path, *arguments)

    assert refused.returncode == 1
    assert told in refused.stderr
    assert "Traceback" not in refused.stderr


def test_what_an_example_lacks_is_installed_once_into_an_environment_over_this_one(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    wheel = tmp_path / "lacking-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("lacking.py", "WORD = 'there'")
        archive.writestr(
            "lacking-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: lacking\nVersion: 1\n"
        )
        archive.writestr(
            "lacking-1.dist-info/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr("lacking-1.dist-info/RECORD", "")
    example(tmp_path, "a", f"title: A\nneeds: {{lacking: {wheel}}}")

    first = run("--folder", tmp_path, "prepare", "a")
    second = run("--folder", tmp_path, "prepare", "a")

    python = first.stdout.strip()
    assert (first.returncode, second.returncode) == (0, 0), first.stderr
    assert second.stdout == first.stdout
    assert "installing" in first.stderr
    assert second.stderr == ""
    code = "import flask, lacking; print(lacking.WORD)"
    said = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "there\n"
    assert Path(python).is_relative_to(tmp_path / "cache")


def test_a_folder_without_examples_says_where_they_come_from(tmp_path):
    with pytest.raises(ExamplesError, match="they come with the repository"):
        find_examples(tmp_path)


def test_every_example_of_the_repository_is_whole():
    found = find_examples(default_folder())

    assert len(found) == 8
    for one in found:
        for name in ("runway_model.py", "runway.yml", "README.md"):
            assert (one.folder / name).is_file(), f"{one.name} has no {name}"
