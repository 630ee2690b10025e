"""A virtual environment for each rival, made from its pinned requirements, outside the tree."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("RIVALS_CACHE", ROOT / ".cache" / "rivals"))
TORCH = "torch==2.13.0"
INSTALL_LIMIT_S = 900.0


class NotInstalledError(RuntimeError):
    """A rival's packages could not be installed; the message is the installer's last line."""


def python_of(
    rival: str, programs: tuple[str, ...] = (), interpreter: str = sys.executable
) -> Path:
    """Interpreter of the rival's environment; makes the environment where it is missing or out of date.

    Torch is a folder shared by all, behind their own packages in the search path: it would be 900 MB for each.

    Raises:
        NotInstalledError: pip refused, or one of the programs it needs besides is missing.
    """
    for program in (*programs, interpreter):
        if shutil.which(program) is None:
            raise NotInstalledError(f"needs the program {program}, which is not installed")
    requirements = Path(__file__).parent / rival / "requirements.txt"
    folder = CACHE / rival / "venv"
    python = folder / "bin" / "python"
    stamp = folder / "requirements.sha256"
    wanted = hashlib.sha256(requirements.read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != wanted:
        _run([interpreter, "-m", "venv", "--clear", str(folder)])
        _run([*_pip(python), "-r", str(requirements)])
        site = _run([str(python), "-c", "import site; print(site.getsitepackages()[0])"]).strip()
        Path(site, "shared_torch.pth").write_text(f"{_torch_folder(python)}\n")
        stamp.write_text(wanted)
    return python


def _torch_folder(python: Path) -> Path:
    folder = CACHE / "torch"
    stamp = folder / "installed"
    if not stamp.exists():
        _run([*_pip(python), "--target", str(folder), "--upgrade", TORCH])
        stamp.touch()
    return folder


def _pip(python: Path) -> list[str]:
    return [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]


def _run(command: list[str]) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=INSTALL_LIMIT_S, check=False
    )
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        lines = lines or done.stderr.splitlines() or ["no message"]
        raise NotInstalledError(f"installation failed: {lines[-1].strip()}")
    return done.stdout
