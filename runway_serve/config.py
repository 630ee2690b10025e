"""`ServeConfig`: everything `runway-serve` was asked for, resolved once from flags, environment and runway.yml."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


class ConfigError(Exception):
    """What was asked for cannot be served; the message tells the user what to do."""


@dataclass(frozen=True)
class ServeConfig:
    """Settings of a server; times in seconds unless the name says ms."""

    script: Path
    arguments: tuple[str, ...] = ()
    host: str = "127.0.0.1"
    port: int = 9000
    gpus: str = "all"
    cpu_workers: int = 1
    workers_per_gpu: int = 1
    model_options: Mapping[str, Any] | None = None
    max_batch_size: int | None = None
    max_wait_ms: float | None = None
    max_queue: int = 1024
    lanes: int = 32  # calls of a command that was written for one, run side by side; 1: never
    request_timeout_s: float = 300.0
    command_timeout_s: float | None = None
    setup_timeout_s: float = 1800.0
    setup_attempts: int = 5
    warmup: str | None = None  # "auto", or the absolute path of a file of requests
    graceful_timeout_s: float = 30.0
    allow_paths: tuple[str, ...] = ()
    allow_hosts: tuple[str, ...] = ()
    job_ttl_s: float = 600.0
    job_timeout_s: float = 3600.0
    max_jobs: int = 1000
    max_job_bytes: int = 256 << 20
    token_digests: tuple[str, ...] = ()
    origins: tuple[str, ...] | None = None
    http_limits: Mapping[str, Any] = field(default_factory=dict)  # arguments of `HttpLimits`
    file_limits: Mapping[str, Any] = field(default_factory=dict)  # arguments of `FilePolicy`

    def file_policy(self, uploads: str) -> dict[str, Any]:
        """Arguments of the workers' `FilePolicy`; what was uploaded may be read in any case."""
        places = {
            "allow_paths": [*self.allow_paths, uploads],
            "allow_hosts": list(self.allow_hosts),
        }
        return {**places, **self.file_limits}

    def alone(self) -> tuple[list[str], dict[str, str]]:
        """Command line and environment of `python script.py`, for runs that do not serve."""
        command = [sys.executable, str(self.script), *self.arguments]
        if self.model_options is None:
            return command, dict(os.environ)
        return command, {**os.environ, "RW_MODEL_OPTIONS": json.dumps(self.model_options)}


@dataclass(frozen=True)
class FrontConfig:
    """What the front needs to know; travels as JSON in its environment."""

    control_address: str
    listen_fd: int
    max_batch_size: int | None
    max_wait_ms: float | None
    max_queue: int
    request_timeout_s: float
    command_timeout_s: float | None
    setup_timeout_s: float
    graceful_timeout_s: float
    worker_count: int
    arena_fd: int | None
    job_policy: Mapping[str, Any]  # arguments of `runway.jobs.JobPolicy`
    token_digests: tuple[str, ...] = ()
    origins: tuple[str, ...] | None = None
    http_limits: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        config: ServeConfig,
        control_address: str,
        listen_fd: int,
        worker_count: int,
        arena_fd: int | None,
    ) -> FrontConfig:
        """The front's part of a server's settings."""
        return cls(
            control_address,
            listen_fd,
            config.max_batch_size,
            config.max_wait_ms,
            config.max_queue,
            config.request_timeout_s,
            config.command_timeout_s,
            config.setup_timeout_s,
            config.graceful_timeout_s,
            worker_count,
            arena_fd,
            {
                "ttl_s": config.job_ttl_s,
                "timeout_s": config.job_timeout_s,
                "max_jobs": config.max_jobs,
                "max_bytes": config.max_job_bytes,
            },
            config.token_digests,
            config.origins,
            config.http_limits,
        )

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def find_script(target: str) -> tuple[Path, tuple[str, ...]]:
    """The model script of a path to a script or folder, and the arguments its entrypoint gives it.

    A folder means the entrypoint of its runway.yml, else runway_model.py.

    Raises:
        ConfigError: there is none.
    """
    path = Path(target)
    if path.is_file():
        return path, ()
    if not path.is_dir():
        raise ConfigError(f"{target} does not exist; give a model script or its folder")
    script: Path = path / "runway_model.py"
    arguments: tuple[str, ...] = ()
    if (path / "runway.yml").is_file():
        script, arguments = _entrypoint(path / "runway.yml")
    if not script.is_file():
        raise ConfigError(
            f"{script} does not exist; give a model script or a folder with runway.yml"
        )
    return script, arguments


def _entrypoint(path: Path) -> tuple[Path, tuple[str, ...]]:
    from runway_serve.project.description import DescriptionError
    from runway_serve.project.reading import read_entrypoint

    try:
        entrypoint = read_entrypoint(path)
    except DescriptionError as error:
        raise ConfigError(str(error)) from error
    return path.parent / entrypoint.script, entrypoint.arguments
