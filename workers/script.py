"""Loads a model script as `python script.py` would, in this process and thread, with `runway.run()` intercepted."""

from __future__ import annotations

import os
import sys
import traceback
import types
from collections.abc import Sequence
from pathlib import Path

from runway.launch import Launcher, use_launcher


class NeverRanError(Exception):
    """The script ended without calling `runway.run()`."""


def load_script(path: Path, arguments: Sequence[str], launcher: Launcher) -> None:
    """Run the script as `__main__`; its call of `runway.run()` becomes a call of `launcher`, which may serve for ever.

    The module stays in `sys.modules["__main__"]`, since pickles of such scripts name it. Working directory and
    `sys.path[0]` become the script's folder, `sys.argv` the script and its own arguments.

    Raises:
        NeverRanError: the script never called `run()`.
        BaseException: whatever the script raised.
    """
    path = path.resolve()
    was_called = False

    def launch(*args: object) -> None:
        nonlocal was_called
        was_called = True
        launcher(*args)  # type: ignore[arg-type]

    os.chdir(path.parent)
    sys.argv = [str(path), *arguments]
    if not getattr(sys.flags, "safe_path", False):
        del sys.path[0]  # the working directory of `python -m`
    sys.path.insert(0, str(path.parent))
    module = types.ModuleType("__main__")
    module.__file__ = str(path)
    module.__builtins__ = __builtins__  # type: ignore[attr-defined]
    sys.modules["__main__"] = module
    code = compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
    with use_launcher(launch):
        exec(code, module.__dict__)  # nosec B102 # to run the script is what a worker is for
    if not was_called:
        raise NeverRanError(f"{path.name} ended without calling runway.run()")


def print_from(script: str, error: BaseException) -> None:
    """Print a traceback that begins at the script, as `python script.py` would."""
    frame = error.__traceback__
    while frame is not None and frame.tb_frame.f_code.co_filename != script:
        frame = frame.tb_next
    traceback.print_exception(type(error), error, frame)
