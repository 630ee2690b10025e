"""What `runway.run()` does: resolve its options, then serve the model from this process.

A worker replaces the launcher (`use_launcher`), so that the same call in a script serves one worker's share instead.
"""

from __future__ import annotations

import _thread
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runway.exceptions import RunwayError

if TYPE_CHECKING:
    import uvicorn

    from runway.model import RunwayModel


GRACE_S = 5  # for running calls, when the server is told to stop


@dataclass(frozen=True)
class RunOptions:
    """The arguments of `runway.run()` after the environment had its say."""

    host: str
    port: int
    model_options: Mapping[str, Any]
    debug: bool
    meta: bool
    no_serve: bool

    @classmethod
    def resolve(
        cls,
        host: str,
        port: int,
        model_options: Mapping[str, Any] | None,
        debug: bool,
        meta: bool,
        no_serve: bool,
    ) -> RunOptions:
        """Arguments overridden by RW_HOST, RW_PORT, RW_MODEL_OPTIONS, RW_DEBUG, RW_META and RW_NO_SERVE."""
        return cls(
            os.environ.get("RW_HOST", host),
            int(os.environ.get("RW_PORT", port)),
            _options_variable() if "RW_MODEL_OPTIONS" in os.environ else (model_options or {}),
            _flag("RW_DEBUG", debug),
            _flag("RW_META", meta),
            _flag("RW_NO_SERVE", no_serve),
        )


def _options_variable() -> dict[str, Any]:
    text = os.environ["RW_MODEL_OPTIONS"]
    try:
        options = json.loads(text)
    except ValueError as error:
        raise SystemExit(f"RW_MODEL_OPTIONS is not JSON: {error}") from error
    if not isinstance(options, dict):
        raise SystemExit(f"RW_MODEL_OPTIONS must be a JSON object, got {text}")
    return options


def _flag(name: str, default: bool) -> bool:
    text = os.environ.get(name)
    return bool(default) if text is None else bool(int(text))


Launcher = Callable[["RunwayModel", RunOptions], None]


def launch(model: RunwayModel, options: RunOptions) -> None:
    """Hand the model to the current launcher."""
    _launcher(model, options)


@contextmanager
def use_launcher(launcher: Launcher) -> Iterator[None]:
    """Make `runway.run()` call `launcher` inside the `with` block."""
    global _launcher  # noqa: PLW0603 - a script may call run() from any thread or context
    before, _launcher = _launcher, launcher
    try:
        yield
    finally:
        _launcher = before


def run_here(model: RunwayModel, options: RunOptions) -> None:
    """Serve the model from this process: commands in this thread, HTTP in another."""
    if options.meta:
        print(json.dumps(model.manifest.to_dict(), ensure_ascii=False, default=list), flush=True)
        return
    if "RW_GPUS" in os.environ and not options.no_serve:
        become_server(options)
    if options.debug and not options.no_serve:
        from runway.reload import is_child, run_reloading

        if not is_child():
            run_reloading()
            return
    prepare(model, options.model_options)
    if options.no_serve:
        print("Not starting model server because no_serve directive is set.", flush=True)
        return
    serve_here(model, options.host, options.port)


def become_server(options: RunOptions) -> None:
    """Turn this process into `runway-serve` for the same script, on the GPUs that RW_GPUS names.

    So an image whose command is `python runway_model.py` can use all cards without a change.
    """
    script = getattr(sys.modules["__main__"], "__file__", None)
    if script is None:
        raise SystemExit("RW_GPUS needs a script file, which workers can load; none is running")
    place = ["--host", options.host, "--port", str(options.port)]
    command = [sys.executable, "-m", "runway_serve", os.path.abspath(script), *place]
    os.execv(sys.executable, [*command, "--", *sys.argv[1:]])


def prepare(model: RunwayModel, model_options: Mapping[str, Any]) -> None:
    """Run the setup; a failure is printed and ends the process with code 1."""
    print("Initializing model...", flush=True)
    began = time.monotonic()
    try:
        model.setup_model(model_options)
    except RunwayError as error:
        error.print_exception()
        sys.exit(1)
    print(f"Model initialized ({time.monotonic() - began:.2f}s)", flush=True)
    model.engine.started_at = time.monotonic()


def _digests() -> tuple[str, ...]:
    from runway.access import digests_of, tokens_variable

    try:
        return digests_of(tokens_variable())
    except ValueError as error:
        raise SystemExit(f"RW_TOKEN: {error}") from error


def serve_here(model: RunwayModel, host: str, port: int) -> None:
    """Serve until interrupted."""
    import uvicorn

    from runway.access import Access
    from runway.asgi import RunwayASGI
    from runway.http_protocol import RunwayHttpProtocol

    print(f"Starting model server at http://{host}:{port}...", flush=True)
    config = uvicorn.Config(
        RunwayASGI(model.app, model.engine, access=Access(_digests())),
        host=host,
        port=port,
        http=RunwayHttpProtocol,
        lifespan="off",
        access_log=False,
        proxy_headers=False,
        log_level="warning",
        ws_per_message_deflate=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
    )
    server = uvicorn.Server(config)
    failed = threading.Event()

    def serve() -> None:
        try:
            server.run()
        except SystemExit:
            failed.set()
        finally:
            model.engine.stop()

    thread = threading.Thread(target=serve, name="http")
    with _interrupts(server):
        thread.start()
        with suppress(KeyboardInterrupt):
            model.engine.serve()
        server.should_exit = server.force_exit = True
        thread.join()
    if failed.is_set():
        sys.exit(1)


@contextmanager
def _interrupts(server: uvicorn.Server) -> Iterator[None]:
    """At the first SIGINT or SIGTERM the server takes nothing new and answers what it has; at the next it ends at once.

    A command that runs longer than `GRACE_S` then counts as a next signal.
    """
    timer = threading.Timer(GRACE_S, _thread.interrupt_main)
    timer.daemon = True

    def on_signal(_number: int, _frame: object) -> None:
        if server.should_exit:
            raise KeyboardInterrupt
        server.should_exit = True
        timer.start()

    before = {
        number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        timer.cancel()
        for number, handler in before.items():
            signal.signal(number, handler)


_launcher: Launcher = run_here
