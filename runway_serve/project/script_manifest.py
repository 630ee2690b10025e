"""Asks a model script for its manifest, in a process of its own: `RW_META=1 python script.py`."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any


class ManifestError(Exception):
    """The script gave no manifest; the text says why, with the last lines it printed."""


LAST_LINES = 12


def ask_manifest(
    python: str, script: Path, arguments: Sequence[str], timeout_s: float
) -> dict[str, Any]:
    """The manifest that the script prints: `options` and `commands`.

    Args:
        python: the interpreter; it needs runway-serve and what the script imports.
        script: the model script; its folder is the working directory.
        arguments: the script's own command line.
        timeout_s: longest time for its imports.

    Raises:
        ManifestError: it failed, printed none, or took too long.
    """
    process = subprocess.Popen(
        [python, str(script), *arguments],
        cwd=script.parent,
        env={**os.environ, "RW_META": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        output, errors = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        raise ManifestError(f"{script} told nothing within {timeout_s:g} s") from None
    finally:
        _end_group(process)
    if process.returncode:
        raise ManifestError(f"{script} ended with {process.returncode}:\n{_last_lines(errors)}")
    # Scripts print while they load; the manifest is the last line.
    for line in reversed(output.splitlines()):
        with contextlib.suppress(ValueError):
            found = json.loads(line)
            if isinstance(found, dict) and "commands" in found:
                return found
    raise ManifestError(f"{script} printed no manifest; does it call runway.run()?")


def summary(manifest: dict[str, Any]) -> list[str]:
    """One line for the options and one a command: `greet(name: text) -> line: text`."""
    lines = []
    if options := manifest.get("options"):
        lines.append(f"options({_fields(options)})")
    for command in manifest["commands"]:
        inputs, outputs = _fields(command["inputs"]), _fields(command["outputs"])
        lines.append(f"{command['name']}({inputs}) -> {outputs}")
    return lines


def _fields(fields: list[dict[str, Any]]) -> str:
    return ", ".join(f"{field.get('name', '?')}: {field.get('type', '?')}" for field in fields)


def _last_lines(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.strip().splitlines()[-LAST_LINES:])


def _end_group(process: subprocess.Popen[str]) -> None:
    """End the process, and what it left running, in any case."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
