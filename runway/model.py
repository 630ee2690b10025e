"""`RunwayModel`: where a script registers its setup and commands, and what `runway.run()` serves."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Mapping
from typing import Any

from flask import Flask

from runway.app import create_app
from runway.downloads import FilePolicy, FileSession, file_session
from runway.engine import LocalEngine
from runway.exceptions import MissingOptionError
from runway.execution import run_setup
from runway.manifest import Command, Fields, Manifest

Function = Callable[..., Any]


class RunwayModel:
    """The setup function and commands of one model script.

    `app` is a real Flask app over this process; a server may run the same model elsewhere (`runway.launch`).
    """

    def __init__(self) -> None:
        self.manifest = Manifest()
        self.setup_fn: Function | None = None
        self.model: Any = None
        self._files: FileSession | None = None  # what the present model's options fetched
        self.running_status = "STARTING"
        self.command_fns: dict[str, Function] = {}
        self.engine = LocalEngine(self)
        self.app: Flask = create_app(self.engine)

    @property
    def options(self) -> list[dict[str, Any]]:
        """The setup options as `GET /setup` lists them."""
        return self.manifest.options.to_dict()

    @property
    def commands(self) -> dict[str, dict[str, Any]]:
        """Command name -> its object as `GET /<command>` shows it."""
        return {name: command.to_dict() for name, command in self.manifest.commands.items()}

    def setup(
        self, decorated_fn: Function | None = None, options: Mapping[str, Any] | None = None
    ) -> Any:
        """Decorator for the setup function: `@setup`, `@setup()` or `@setup(options={...})`. A later one replaces it.

        Args:
            decorated_fn: the function, when used without parentheses.
            options: name -> data type, as an instance or a class.
        """

        def register(function: Function) -> Function:
            self.manifest.options = Fields(options or {}, MissingOptionError)
            self.setup_fn = function
            return function

        return register if decorated_fn is None else register(decorated_fn)

    def command(
        self,
        name: str,
        inputs: Mapping[str, Any] | None = None,
        outputs: Mapping[str, Any] | None = None,
        description: str | None = None,
        *,
        batch: bool = False,
        max_batch_size: int = 8,
        max_wait_ms: float = 5.0,
        coalesce: bool = True,
    ) -> Callable[[Function], Function]:
        """Decorator for a command `fn(model, inputs)`; a second declaration of a name replaces the first.

        Args:
            name: the route, `POST /<name>`.
            inputs: name -> data type; at least one.
            outputs: name -> data type; at least one.
            description: shown by `GET /<name>`.
            batch: the function takes a list of 1..`max_batch_size` input dicts and returns one output each, in order.
            max_batch_size: most calls a batched function is given at once.
            max_wait_ms: longest wait of a call for others to join its batch, in milliseconds.
            coalesce: False keeps a server from running calls of this command side by side (docs/coalescing.md).
        """
        if not inputs:
            raise Exception(f"command {name}: a command needs at least one input")
        if not outputs:
            raise Exception(f"command {name}: a command needs at least one output")

        def register(function: Function) -> Function:
            if batch and inspect.isgeneratorfunction(function):
                raise Exception(f"command {name}: a generator function cannot be batched")
            self.manifest.commands[name] = Command(
                name,
                Fields(inputs),
                Fields(outputs),
                description,
                function,
                batch,
                max_batch_size if batch else 1,
                max_wait_ms,
                coalesce and not batch,
            )
            self.command_fns[name] = function
            return function

        return register

    def setup_model(self, opts: Mapping[str, Any], policy: FilePolicy | None = None) -> None:
        """Run the setup function with options as a client would send them.

        Args:
            opts: option name -> JSON value.
            policy: which files the options may name; None restricts nothing.

        Raises:
            RunwayError: a missing or bad option (400), or the function failed (500). The old model stays.
        """
        options = self.manifest.options.decode(opts)
        self.running_status = "STARTING"
        with file_session(policy, keep=True) as files:
            try:
                self.model = run_setup(self.setup_fn, self.manifest.options, options)
            except BaseException:
                files.close()
                raise
        old, self._files = self._files, files
        if old is not None:
            old.close()
        self.running_status = "RUNNING"

    def millis_running(self) -> int:
        """Milliseconds since the server started, 0 before."""
        started_at = self.engine.started_at
        return 0 if started_at is None else round((time.monotonic() - started_at) * 1000)

    def millis_since_last_command(self) -> int | None:
        """Milliseconds since the last command began, None before the first."""
        last = self.engine.last_command_at
        return None if last is None else round((time.monotonic() - last) * 1000)

    def run(
        self,
        host: str = "0.0.0.0",  # nosec B104 # documented; only a server of its own binds here
        port: int = 9000,
        model_options: Mapping[str, Any] | None = None,
        debug: bool = False,
        meta: bool = False,
        no_serve: bool = False,
    ) -> None:
        """Set the model up and serve it until interrupted; each argument is overridden by its `RW_*` variable.

        Args:
            host: address to bind.
            port: port to bind.
            model_options: options for the setup function.
            debug: restart when the script's files change.
            meta: print the manifest as one line of JSON and return; the setup does not run.
            no_serve: set up and return without serving.
        """
        from runway.launch import RunOptions, launch

        launch(self, RunOptions.resolve(host, port, model_options, debug, meta, no_serve))
