"""Which file a failed setup could not use: Python's `repr` of an OSError, which clients get, leaves its name out."""

from __future__ import annotations

import os


def file_of(error: BaseException | None) -> str:
    """Path of the file that an OSError among the error and its causes names, empty if none does."""
    while error is not None:
        if isinstance(error, OSError) and isinstance(error.filename, str | bytes | os.PathLike):
            return os.path.abspath(os.fsdecode(error.filename))
        error = error.__cause__ or error.__context__
    return ""


def with_file(message: str, error: BaseException) -> str:
    """The message, with the file's path behind it."""
    path = file_of(error)
    return f"{message} The file: {path}" if path else message
