"""The front process: gunicorn with one worker that runs uvicorn, the Flask app and the dispatcher on uvloop.

`python -m runway_serve.front`, started by the supervisor. It imports neither a model script nor a framework.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import json
import logging
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any

import zmq
from gunicorn.app.base import BaseApplication
from gunicorn.workers.base import Worker

from runway_serve.config import FrontConfig
from runway_serve.front_process import FRONT_CONFIG_VARIABLE, is_held, remove_folder, uploads_folder
from runway_serve.workers.log_lines import configure

logger = logging.getLogger(__name__)
PR_SET_PDEATHSIG = 1
GC_THRESHOLDS = (
    20_000,
    20,
    50,
)  # at the default, tracing the objects of waiting requests takes a tenth of the time


class ControlChannel:
    """The front's socket to the supervisor, on the event loop."""

    def __init__(self, address: str, loop: asyncio.AbstractEventLoop) -> None:
        self._socket: Any = zmq.Context.instance().socket(zmq.DEALER)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.connect(address)
        self._loop = loop

    def tell(self, message: dict[str, Any]) -> None:
        """Send a message to the supervisor."""
        from runway.codec import pack_one

        self._socket.send(pack_one(message))
        self._loop.call_soon(self._read)

    def listen(self, hear: Any) -> None:
        """Say hello and call `hear` with every message that comes."""
        self._hear = hear
        self._loop.add_reader(self._socket.getsockopt(zmq.FD), self._read)
        self.tell({"op": "hello", "pid": os.getpid()})

    def _read(self) -> None:
        from runway.codec import unpack

        while self._socket.getsockopt(zmq.EVENTS) & zmq.POLLIN:
            self._hear(unpack([self._socket.recv(zmq.NOBLOCK)]))


class FrontWorker(Worker):  # type: ignore[misc]
    """A gunicorn worker that serves the ASGI app with uvicorn on uvloop."""

    def init_process(self) -> None:
        """Make this process' event loop before gunicorn calls `run`."""
        import uvloop

        self.loop = uvloop.new_event_loop()
        asyncio.set_event_loop(self.loop)
        super().init_process()

    def init_signals(self) -> None:
        """Signals stop the server; gunicorn's own handlers do not fit an event loop."""
        for number in self.SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            self.loop.add_signal_handler(number, self._stop)

    def load_wsgi(self) -> None:
        """Nothing to load: the app needs the running loop."""

    def _stop(self) -> None:
        self.alive = False
        self.server.should_exit = True

    def run(self) -> None:
        """Serve until told to stop."""
        self.loop.run_until_complete(self._serve())
        self._clear_folder()  # once more: a supervisor that is killed loses its pipe before its lock

    async def _serve(self) -> None:
        import uvicorn

        from runway.http_protocol import RunwayHttpProtocol

        config = FrontConfig(**json.loads(os.environ[FRONT_CONFIG_VARIABLE]))
        self.folder = Path(config.control_address.removeprefix("ipc://")).parent
        app = build(config, self.loop)
        self.loop.add_reader(0, self._lifeline)
        gc.freeze()  # what is here now stays; a request makes few cycles
        gc.set_threshold(*GC_THRESHOLDS)
        settings = uvicorn.Config(
            app,
            loop="none",
            http=RunwayHttpProtocol,
            proxy_headers=False,
            lifespan="off",
            access_log=False,
            log_config=None,
            log_level="warning",
            ws_per_message_deflate=False,
            server_header=False,
            timeout_graceful_shutdown=int(config.graceful_timeout_s) or 1,
            callback_notify=self._beat,
            timeout_notify=1,
        )
        self.server = uvicorn.Server(settings)
        self.server.capture_signals = _no_signals  # type: ignore[method-assign]
        await self.server.serve(sockets=[listener.sock for listener in self.sockets])

    async def _beat(self) -> None:
        self.notify()

    def _clear_folder(self) -> None:
        """Remove the folder of a supervisor that is gone."""
        if not is_held(self.folder):
            remove_folder(self.folder)

    def _lifeline(self) -> None:
        """End the front when the supervisor's end of standard input closes; clear its folder if it died."""
        if os.read(0, 1):
            return
        self.loop.remove_reader(0)
        self._clear_folder()
        if (
            os.getppid() == self.ppid
        ):  # else gunicorn's master is gone too, and the parent is a stranger
            os.kill(self.ppid, signal.SIGTERM)
        self._stop()


def _no_signals() -> Any:
    from contextlib import nullcontext

    return nullcontext()


def build(config: FrontConfig, loop: asyncio.AbstractEventLoop) -> Any:
    """The ASGI app over a dispatcher that follows the supervisor."""
    from flask import Response as FlaskResponse

    from runway import exchange
    from runway.access import Access
    from runway.app import create_app
    from runway.asgi import RunwayASGI
    from runway.jobs import JobPolicy
    from runway.limits import HttpLimits
    from runway.trace import trace_file
    from runway_serve.dispatcher import Dispatcher
    from runway_serve.metrics import CONTENT_TYPE, Metrics
    from runway_serve.trace import TracedExchange, traced_dispatcher

    control = ControlChannel(config.control_address, loop)
    trace = trace_file("front")
    kind = Dispatcher if trace is None else traced_dispatcher(trace)
    dispatcher = kind(config, loop, control.tell)
    limits = HttpLimits(**config.http_limits)
    access = Access(
        tuple(config.token_digests),
        None if config.origins is None else tuple(config.origins),
        guards_setup=True,
    )
    folder = Path(config.control_address.removeprefix("ipc://")).parent
    app = create_app(
        dispatcher,
        uploads_folder(folder),
        max_body_bytes=limits.max_body_bytes,
        origins=access.origins,
    )

    @app.get("/ready")
    def ready() -> FlaskResponse:
        is_ready = dispatcher.is_ready
        body = {"status": "RUNNING" if is_ready else "STARTING", **dispatcher.counts()}
        answer = exchange.answer(body, 200 if is_ready else 503)
        return FlaskResponse(answer.body, answer.status, answer.headers)

    metrics = Metrics(dispatcher.read)

    @app.get("/metrics")
    def show_metrics() -> FlaskResponse:
        return FlaskResponse(metrics.text(), content_type=CONTENT_TYPE)

    def hear(message: dict[str, Any]) -> None:
        if message["op"] == "workers":
            dispatcher.update_workers(message)
        elif message["op"] == "drain":
            dispatcher.drain()

    control.listen(hear)
    server = RunwayASGI(app, dispatcher, limits, access, JobPolicy(**config.job_policy))
    if trace is not None:
        server.hot.exchange = TracedExchange
    return server


class FrontApplication(BaseApplication):  # type: ignore[misc]
    """gunicorn, configured for one front worker on an inherited socket."""

    def __init__(self, config: FrontConfig) -> None:
        self._front = config
        super().__init__()

    def load_config(self) -> None:
        """Gunicorn's settings."""
        settings: dict[str, Any] = {
            "bind": f"fd://{self._front.listen_fd}",
            "workers": 1,
            "worker_class": FrontWorker,
            "timeout": 60,
            "graceful_timeout": int(self._front.graceful_timeout_s) or 1,
            "loglevel": "warning",
            "proc_name": "runway-serve front",
            "control_socket_disable": True,
        }
        for name, value in settings.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Any:
        """The worker builds the app itself."""
        return None


def allow_many_connections() -> None:
    """Raise this process' limit of open files, often 1024, to what the system grants."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def main() -> None:
    """Run gunicorn until the supervisor ends it."""
    configure("front")
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    allow_many_connections()
    config = FrontConfig(**json.loads(os.environ[FRONT_CONFIG_VARIABLE]))
    sys.argv = ["runway-serve"]
    FrontApplication(config).run()


if __name__ == "__main__":
    main()
