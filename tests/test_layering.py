"""Who may import whom: the architecture's arrows, checked in the source of every module."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# Folder -> what its modules may import of ours; the first is the name the folder is imported by.
OURS = {
    "runway": ["runway"],
    "runway_serve": ["runway_serve", "runway"],
    "workers": ["runway_serve.workers", "runway_serve.batching.coalesce", "runway"],
    "batching": ["runway_serve.batching"],
}
LINKS = {("runway_serve", "workers"), ("runway_serve", "batching")}  # of an editable install
FRAMEWORKS = {"torch", "tensorflow", "keras", "jax", "onnxruntime", "ray"}
RUNS_SCRIPTS = "workers/script.py"


def modules(folder: str) -> list[Path]:
    """The folder's modules, each under one path only."""
    found = (path.relative_to(ROOT) for path in (ROOT / folder).rglob("*.py"))
    return [path for path in found if path.parts[:2] not in LINKS]


MODULES = [path for folder in OURS for path in modules(folder)]
each_module = pytest.mark.parametrize("path", MODULES, ids=str)


def imports(path: Path) -> Iterator[str]:
    """Every name a module imports, wherever it does; `from a import b` gives `a.b`."""
    for node in ast.walk(ast.parse((ROOT / path).read_text("utf8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_under(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


@each_module
def test_arrows_point_down(path):
    ours = [name for name in imports(path) if is_under(name, *OURS)]

    assert [name for name in ours if not is_under(name, *OURS[path.parts[0]])] == []


@each_module
def test_frameworks_are_the_business_of_scripts(path):
    assert [name for name in imports(path) if is_under(name, *FRAMEWORKS)] == []


@pytest.mark.parametrize("path", modules("batching"), ids=str)
def test_batching_needs_numpy_and_the_standard_library(path):
    allowed = {"numpy", "runway_serve", *sys.stdlib_module_names}
    if path.is_relative_to("batching/coalesce"):
        allowed.add("greenlet")

    assert {name.split(".")[0] for name in imports(path)} <= allowed


def calls(path: Path) -> set[str]:
    """Names of the functions that a module calls."""
    called = (
        node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)
    )
    return {getattr(function, "id", getattr(function, "attr", "")) for function in called}


def test_only_the_worker_runs_scripts():
    runners = {str(path) for path in MODULES if {"exec", "run_path", "run_module"} & calls(path)}
    assert runners == {RUNS_SCRIPTS}
    assert [
        str(path)
        for path in modules("runway_serve")
        if any(is_under(name, "runway_serve.workers.script") for name in imports(path))
    ] == []


def test_importing_runway_serve_imports_nothing():
    assert list(imports(Path("runway_serve/__init__.py"))) == []


def test_supervisor_and_front_load_no_framework_and_no_script_runner():
    names = [".".join(path.with_suffix("").parts) for path in modules("runway_serve")]
    names = [name for name in names if not name.endswith(("__init__", "__main__"))]
    program = f"import sys, {', '.join(names)}; print(*sys.modules)" if names else "print()"

    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd="/"
    ).stdout.split()

    assert FRAMEWORKS & set(loaded) == set()
    assert "runway_serve.workers.script" not in loaded
