"""Sees what a call does outside its own memory: files it writes, processes it starts, environment it changes.

Python tells its audit hooks *before* it acts. So the call that is about to act can be kept from pausing, and all that
follows happens as if no other call ran.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from typing import Any

from runway_serve.batching.coalesce.lanes import Lane, here
from runway_serve.batching.coalesce.patches import loaded, tell_before

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
HARMLESS_PLACES = ("/dev/", "/proc/")
CACHED_CODE = "__pycache__"
PROCESSES = frozenset(
    {
        "subprocess.Popen",
        "os.system",
        "os.exec",
        "os.fork",
        "os.forkpty",
        "os.posix_spawn",
        "os.spawn",
        "pty.spawn",
    }
)
ENVIRONMENT = frozenset({"os.putenv", "os.unsetenv"})
CHANGES = frozenset(
    {"os.remove", "os.rename", "os.rmdir", "os.truncate", "os.link", "os.symlink", "shutil.rmtree"}
)
MADE = frozenset({"tempfile.mkstemp", "tempfile.mkdtemp"})
# Written by C code that tells no hook: module, function, position of the path.
UNHEARD = (
    ("cv2", "imwrite", 0),
    ("cv2", "imwritemulti", 0),
    ("torch", "save", 1),
    ("torchaudio", "save", 0),
    ("soundfile", "write", 0),
)

_installed: list[Callable[..., None]] = []


def listen(scripts: Iterable[dict[str, Any]]) -> None:
    """Tell lanes' hosts from now on; `scripts` are the namespaces in which functions may have been imported by name."""
    if not _installed:  # a hook cannot be removed again
        _installed.append(_hear)
        sys.addaudithook(_hear)
    for name, function, position in UNHEARD:
        module = loaded(name)
        if module is not None:
            tell_before(module, function, _writer(f"{name}.{function}", position), scripts)


def _writer(name: str, position: int) -> Callable[..., None]:
    def told(*args: Any, **kwargs: Any) -> None:
        lane = here.lane
        path = args[position] if len(args) > position else None
        if lane is None or not isinstance(path, (str, os.PathLike, type(None))):
            return  # to a file that is open already
        if path is None or not _is_own(lane, os.fspath(path)):
            lane.host.acts(lane, "files", f"it writes a file with {name}")

    return told


def _hear(event: str, args: tuple[Any, ...]) -> None:
    """Called by Python in the middle of an act: must not raise, open files or switch."""
    lane = here.lane
    if lane is None:
        return
    if event == "open":
        _hear_open(lane, *args)
    elif event in PROCESSES:
        lane.host.acts(lane, "processes", "it starts a process")
    elif event in ENVIRONMENT:
        lane.host.acts(lane, "processes", "it changes the environment")
    elif event in MADE:
        lane.own_paths.append(os.path.abspath(os.fsdecode(args[0])))
    elif event in CHANGES and not _is_own(lane, args[0]) and not _is_relative_to_folder(args):
        lane.host.acts(lane, "files", f"it changes {args[0]!r}")
    elif event == "os.chdir":
        lane.host.moves()


def _hear_open(lane: Lane, path: Any, mode: str | None, flags: int) -> None:
    if not flags & WRITING or not isinstance(path, (str, bytes)):
        return
    name = os.fsdecode(path)
    if name.startswith(HARMLESS_PLACES) or CACHED_CODE in name:
        return
    if flags & getattr(os, "O_TMPFILE", 0) == getattr(os, "O_TMPFILE", -1):
        return  # has no name
    if not _is_own(lane, name) and not os.path.isdir(name):  # tempfile names the folder first
        lane.host.acts(lane, "files", f"it writes the file {name!r}")


def _is_relative_to_folder(args: tuple[Any, ...]) -> bool:
    """Whether a path is meant from an open folder, as `shutil.rmtree` does, which told the folder's name before."""
    return any(isinstance(value, int) and value >= 0 for value in args[1:])


def _is_own(lane: Lane, path: Any) -> bool:
    """Whether this very call made the path, or a folder above it, by `tempfile`."""
    if not isinstance(path, (str, bytes)) or not lane.own_paths:
        return False
    name = os.path.abspath(os.fsdecode(path))
    return any(name == own or name.startswith(own + os.sep) for own in lane.own_paths)
