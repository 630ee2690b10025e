"""Environments for examples that need a package which is not here: a thin one over this one, kept in the cache.

It holds only what is missing; everything else, `runway_serve` too, it takes from the environment that made it.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from runway_serve.examples.catalogue import Example, ExamplesError

DONE = "done"


def missing_packages(example: Example) -> list[str]:
    """What pip would have to install for an example, as example.yml says it."""
    return [what for name, what in example.needs.items() if importlib.util.find_spec(name) is None]


def python_for(example: Example, cache: Path) -> str:
    """An interpreter that has what the example needs: this one, or one that is made now or was before.

    Raises:
        ExamplesError: it cannot be made; the text says what pip could not install.
    """
    missing = missing_packages(example)
    if not missing:
        return sys.executable
    here = json.dumps([sys.prefix, sys.version, missing])
    folder = cache / f"needs-{hashlib.sha256(here.encode()).hexdigest()[:12]}"
    cache.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two examples, or two terminals, make one
        if not (folder / DONE).is_file():
            shutil.rmtree(folder, ignore_errors=True)
            try:
                make(folder, missing)
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
            (folder / DONE).write_text(here)
    return str(folder / "bin" / "python")


def make(folder: Path, packages: list[str]) -> None:
    """A virtual environment with the packages, over the present one.

    Raises:
        ExamplesError: a step of it failed.
    """
    wanted = ", ".join(packages)
    print(f"installing {wanted} into {folder}: some minutes, once", file=sys.stderr, flush=True)
    python = str(folder / "bin" / "python")
    run([sys.executable, "-m", "venv", str(folder)], f"cannot make {folder}")
    packages_here = sysconfig.get_path("purelib")
    purelib = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder)}))
    # addsitedir, as a plain path would leave out what editable installs put there
    (purelib / "over.pth").write_text(f"import site; site.addsitedir({packages_here!r})\n")
    pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    run([*pip, *packages], f"cannot install {wanted}")


def run(command: list[str], failure: str) -> None:
    """Run a command; its output is for the user.

    Raises:
        ExamplesError: it failed.
    """
    kept = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
    ended = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=sys.stderr, env=kept, check=False
    )
    if ended.returncode:
        raise ExamplesError(f"{failure}: {' '.join(command)} ended with {ended.returncode}")
