"""Types whose value is a path: file and directory. They work in the model's process, where the files are wanted."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlsplit

from runway.data_types.base import BaseType, json_kind
from runway.downloads import download, local_path
from runway.exceptions import InvalidArgumentError
from runway.utils import is_url


class file(BaseType):
    """A local path, or an address to download from; tarballs are unpacked and stand for their folder."""

    def __init__(
        self,
        description: str | None = None,
        is_directory: bool = False,
        extension: str | None = None,
        default: str | None = None,
    ) -> None:
        super().__init__("file", description)
        self.is_directory = is_directory
        self.extension = extension
        self.default = default

    @property
    def bulky(self) -> bool:
        """A download takes its time."""
        return True

    def to_dict(self) -> dict[str, Any]:
        """Adds `isDirectory`, `extension` and `default`, each if set."""
        fields = {
            "isDirectory": self.is_directory,
            "extension": self.extension,
            "default": self.default,
        }
        return {**super().to_dict(), **{key: value for key, value in fields.items() if value}}

    def serialize(self, value: Any, output_format: str | None = None) -> Any:
        """The path as it is, as text."""
        return os.fspath(value) if isinstance(value, os.PathLike) else value

    def deserialize(self, value: Any) -> str:
        """A path that exists.

        Raises:
            InvalidArgumentError: nothing is there, it is not allowed, or it is not what the type asks for.
        """
        given = os.fspath(value) if isinstance(value, os.PathLike) else value
        if not isinstance(given, str):
            raise InvalidArgumentError(
                self.name, f"expected a path or an address, got {json_kind(value)}"
            )
        try:
            if is_url(given):
                self._check_extension(urlsplit(given).path)
                path = download(given)
            else:
                path = local_path(given)
                self._check_extension(given)
        except ValueError as error:
            raise InvalidArgumentError(self.name, str(error)) from error
        if self.is_directory and not os.path.isdir(path):
            raise InvalidArgumentError(self.name, "expected a directory or a tarball")
        return path

    def _check_extension(self, path: str) -> None:
        if self.extension and not path.endswith(self.extension):
            raise ValueError("file path does not have expected extension")


class directory(file):
    """A local folder, or the address of a tarball of one."""

    def __init__(self, description: str | None = None, default: str | None = None) -> None:
        super().__init__(description, is_directory=True, default=default)
