"""Virtual environments that models run in without an image: made once from runway.yml, kept in a cache, found again.

A build step is the author's shell, and here it runs on the user's machine: `run.py` asks before.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from runway_serve.project.description import CPU, GPU, Description, Step
from runway_serve.project.dockerfile import TOOLS
from runway_serve.project.folder import ProjectError
from runway_serve.project.pins import requirement_files
from runway_serve.project.sdk_wheel import NoWheelError, write_wheel
from runway_serve.project.targets import Target, resolve


@dataclass(frozen=True)
class Environment:
    """One virtual environment. `plan` is what it must hold; `done.json` in it tells how far it came."""

    folder: Path
    target: Target
    model: Path
    plan: str

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    @property
    def server(self) -> Path:
        """Its `runway-serve`."""
        return self.folder / "bin" / "runway-serve"

    @property
    def _state_file(self) -> Path:
        return self.folder / "done.json"

    def steps_done(self) -> int:
        """How many build steps succeeded, -1 if the environment is not there; all and one more when it is complete."""
        try:
            state = json.loads(self._state_file.read_text("utf8"))
        except (OSError, ValueError):
            return -1
        return int(state["done"]) if state["plan"] == self.plan else -1

    @property
    def is_complete(self) -> bool:
        """Whether it can be used as it is."""
        return self.steps_done() == len(self.target.steps) + 1

    def note(self, done: int) -> None:
        """Remember that so many steps succeeded, in a way that a crash cannot spoil."""
        draft = self._state_file.with_suffix(".new")
        draft.write_text(json.dumps({"plan": self.plan, "done": done}), "utf8")
        draft.replace(self._state_file)

    def remove(self) -> None:
        """Forget it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Alone with it, among all processes of this machine."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with self.folder.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def environment_of(description: Description, target: Target) -> Environment:
    """The environment of a model for a target, there or not."""
    model = description.path.parent.resolve()
    plan = _digest(
        [base_python(target), *target.framework, *(_content(step, model) for step in target.steps)]
    )
    place = _digest([str(model), target.environment])
    name = f"{model.name or 'model'}-{target.environment}-{place[:10]}"
    return Environment(cache_folder() / name, target, model, plan)


def python_of(description: Description) -> str:
    """The interpreter that the script should be tried with: its environment's if there is one, else the present one."""
    for name in (GPU, CPU):
        for is_modern in (True, False):
            environment = environment_of(
                description, resolve(description, name, is_modern, has_image=False)
            )
            if environment.is_complete:
                return str(environment.python)
    return sys.executable


def cache_folder() -> Path:
    """Where environments are kept; `XDG_CACHE_HOME` moves it."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "runway-serve" / "environments"


def base_python(target: Target) -> str:
    """An interpreter of the target's version, else the one that runs now."""
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    found = None if target.python in (own, None) else shutil.which(f"python{target.python}")
    return found or sys.executable


def prepare(environment: Environment) -> None:
    """Make the environment, or finish it where a step failed last time. The caller holds its lock.

    Raises:
        ProjectError: a step failed; the steps before it are kept.
    """
    done = environment.steps_done()
    if done < 0:
        environment.remove()
        _say("virtual environment")
        _run([base_python(environment.target), "-m", "venv", str(environment.folder)], environment)
        _install(environment, *TOOLS)
        if environment.target.framework:
            _install(environment, *environment.target.framework)
        _install_sdk(environment)
        done = 0
        environment.note(done)
    for number, step in enumerate(environment.target.steps[done:], start=done + 1):
        _say(f"build step {number} of {len(environment.target.steps)}: {step.command}")
        _run(["/bin/sh", "-c", step.command], environment, step)
        environment.note(number)
    _pip(
        environment, "uninstall", "--yes", "--quiet", "runway-python"
    )  # a step may have put it over ours
    _install_sdk(environment)
    environment.note(len(environment.target.steps) + 1)


def variables(environment: Environment) -> dict[str, str]:
    """The process environment in which `python` and `pip` are those of the virtual environment."""
    path = f"{environment.folder / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    kept = {name: text for name, text in os.environ.items() if name != "PYTHONHOME"}
    return {**kept, "PATH": path, "VIRTUAL_ENV": str(environment.folder)}


def _install_sdk(environment: Environment) -> None:
    try:
        wheel = write_wheel(environment.folder)
    except NoWheelError as error:
        raise ProjectError(str(error)) from error
    _say(f"runway-serve of this version ({wheel.name})")
    _pip(environment, "install", "--quiet", "--force-reinstall", "--no-deps", str(wheel))
    _pip(environment, "install", "--quiet", str(wheel))


def _install(environment: Environment, *requirements: str) -> None:
    _say(f"pip install {' '.join(requirements)}")
    _pip(environment, "install", "--quiet", *requirements)


def _pip(environment: Environment, *arguments: str) -> None:
    command = [str(environment.python), "-m", "pip", "--disable-pip-version-check", *arguments]
    _run(command, environment)


def _run(command: list[str], environment: Environment, step: Step | None = None) -> None:
    code = subprocess.run(
        command, cwd=environment.model, env=variables(environment), check=False
    ).returncode
    if code == 0:
        return
    if step is None:
        raise ProjectError(f"{' '.join(command)} ended with {code}")
    raise ProjectError(
        f"the build step of line {step.line} ended with {code}: {step.command}\n"
        "what ran before it is kept; put it right and run again"
    )


def _say(text: str) -> None:
    print(f"runway-serve run: {text}", file=sys.stderr, flush=True)


def _content(step: Step, model: Path) -> str:
    """The step and the requirement files it reads: when these change, the environment is made anew."""
    texts = [path.read_text("utf8", errors="replace") for path in requirement_files(step, model)]
    return "\0".join([step.command, *texts])


def _digest(texts: list[str]) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()
