"""What a user installs: built from the checkout, put into an environment of its own, then looked at.

Nothing is downloaded: the environment sees the packages of the one that runs the tests by a `.pth`
file, and pip builds without isolation.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.processes import ServerProcess
from tests.serving import READY_S, stopping

pytest.importorskip("setuptools", "70.1", reason="builds wheels without further packages")

ROOT = Path(__file__).resolve().parents[1]
LINKS = {("runway_serve", "workers"), ("runway_serve", "batching")}  # of an editable install
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
SHADOWING = """
import runway
import workers


@runway.command("who", inputs={"x": runway.text}, outputs={"who": runway.text})
def who(model, inputs):
    return workers.WHO


runway.run()
"""
BUILD_SDIST = "import sys; from setuptools.build_meta import build_sdist; build_sdist(sys.argv[1])"


def run(*command: str | Path, cwd: Path) -> str:
    """Standard output of a command that must succeed."""
    words = [str(word) for word in command]
    result = subprocess.run(words, cwd=cwd, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def build_wheel(source: Path, folder: Path) -> Path:
    options = ["--no-build-isolation", "--no-deps", "--no-index", "--quiet"]
    run(sys.executable, "-m", "pip", "wheel", *options, "-w", folder, source, cwd=folder)
    return next(folder.glob("*.whl"))


def contents(wheel: Path) -> set[str]:
    """Files of a wheel, its metadata apart."""
    names = zipfile.ZipFile(wheel).namelist()
    return {name for name in names if ".dist-info/" not in name}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """A copy of the checkout's files, without what builds leave behind."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in run("git", "ls-files", "-co", "--exclude-standard", cwd=ROOT).splitlines():
        if (ROOT / name).is_file():
            target = copy / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((ROOT / name).read_bytes())
    return copy


@pytest.fixture(scope="module")
def wheel(checkout, tmp_path_factory) -> Path:
    return build_wheel(checkout, tmp_path_factory.mktemp("wheel"))


@dataclass(frozen=True)
class Installed:
    """An environment with the wheel in it."""

    bin: Path
    packages: Path
    added: set[str]

    @property
    def python(self) -> Path:
        return self.bin / "python"


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Installed:
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    packages = Path(
        run(python, "-c", "import site; print(site.getsitepackages()[0])", cwd=folder).strip()
    )
    before = set(packages.iterdir())
    options = ["--no-deps", "--no-index", "--quiet"]
    run(sys.executable, "-m", "pip", "--python", python, "install", *options, wheel, cwd=folder)
    added = {path.name for path in set(packages.iterdir()) - before}
    (packages / "outer.pth").write_text(sysconfig.get_path("purelib"))
    return Installed(folder / "bin", packages, added)


def test_site_packages_gets_two_packages_only(installed):
    assert {name for name in installed.added if not name.endswith(".dist-info")} == {
        "runway",
        "runway_serve",
    }
    for name in ("runway", "runway_serve"):
        assert (installed.packages / name / "py.typed").is_file()


def test_wheel_has_every_module_once(wheel):
    folders = {"runway": "runway", "runway_serve": "runway_serve"}
    folders |= {name: f"runway_serve/{name}" for name in ("workers", "batching")}
    modules = {
        f"{target}/{path.relative_to(ROOT / source).as_posix()}"
        for source, target in folders.items()
        for path in (ROOT / source).rglob("*.py")
        if path.relative_to(ROOT).parts[:2] not in LINKS
    }

    assert {name for name in contents(wheel) if name.endswith(".py")} == modules


def test_wheel_has_every_file_of_the_workspace(wheel):
    page = {
        f"runway/{path.relative_to(ROOT / 'runway').as_posix()}"
        for path in (ROOT / "runway" / "ui").rglob("*")
        if path.is_file()
    }

    assert {name for name in contents(wheel) if name.startswith("runway/ui/")} == page
    assert "runway/ui/vendor/LICENSE.preact" in page


def test_inner_packages_import_from_the_installed_place(installed, tmp_path):
    program = "import runway_serve.workers as w, runway_serve.batching as b, runway as r"
    program += "; print(w.__file__, b.__file__, r.__file__, sep='\\n')"

    places = run(installed.python, "-c", program, cwd=tmp_path).splitlines()

    assert all(Path(place).is_relative_to(installed.packages) for place in places), places


def test_sdist_builds_the_same_wheel(checkout, wheel, tmp_path):
    run(sys.executable, "-c", BUILD_SDIST, tmp_path, cwd=checkout)
    with tarfile.open(next(tmp_path.glob("*.tar.gz"))) as sdist:
        sdist.extractall(tmp_path / "unpacked", filter="data")

    rebuilt = build_wheel(next((tmp_path / "unpacked").iterdir()), tmp_path)

    assert contents(rebuilt) == contents(wheel)


def test_types_of_the_installed_packages_hold(installed, tmp_path):
    options = ["--python-executable", installed.python, "--config-file", ROOT / "pyproject.toml"]
    run(sys.executable, "-m", "mypy", *options, "-p", "runway", "-p", "runway_serve", cwd=tmp_path)


def test_a_model_keeps_its_own_workers_module(installed, tmp_path):
    (tmp_path / "runway_model.py").write_text(SHADOWING)
    (tmp_path / "workers.py").write_text("WHO = 'the model itself'")

    def build(port: int) -> ServerProcess:
        flags = ["--port", str(port), "--gpus", "none"]
        return ServerProcess([str(installed.bin / "runway-serve"), *flags], port=port, cwd=tmp_path)

    with stopping(build, "/ready", lambda status, _: status == 200, READY_S, 0) as server:
        assert server.post("who").json() == {"who": "the model itself"}
        page = server.get("/", headers={"Accept": "text/html"})
        assert page.url.endswith("/ui/")
        assert "js/main.mjs" in page.text
        assert server.get("/ui/js/main.mjs").headers["Content-Type"].startswith("text/javascript")
