"""`python -m runway_serve.workers`: one worker process, started by the pool.

The first line of standard input is its configuration in JSON; the pipe stays open as a life-line, and its end means
that the supervisor is gone.
"""

from __future__ import annotations

import logging
import os
import struct
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from runway.arena import Arena
from runway.codec import pack_one
from runway.downloads import FilePolicy, keep_scratch_in
from runway.exceptions import RunwayError
from runway.launch import RunOptions
from runway.model import RunwayModel
from runway_serve.workers.child import scratch_path
from runway_serve.workers.lifeline import take_lifeline
from runway_serve.workers.marks import OutputMarks
from runway_serve.workers.missing_files import with_file
from runway_serve.workers.script import NeverRanError, load_script, print_from
from runway_serve.workers.trace import make_loop
from runway_serve.workers.warmup import WarmUp, WarmUpError


class Reporter:
    """Writes length-prefixed reports to the supervisor's pipe, away from the script's stdout and stderr."""

    def __init__(self, fd: int) -> None:
        os.set_inheritable(fd, False)
        self._fd = fd

    def __call__(self, event: str, **fields: Any) -> None:
        """Report an event."""
        body = pack_one({"event": event, **fields})
        data = struct.pack("<I", len(body)) + body
        while data:
            data = data[os.write(self._fd, data) :]


def main() -> None:
    """Read the configuration, load the script and serve it until the supervisor stops this process."""
    config = take_lifeline()
    marks = OutputMarks()
    marks.install()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    keep_scratch_in(scratch_path(config["address"]))
    report = Reporter(config["status_fd"])
    allowed = config["policy"]
    places = {name: tuple(allowed[name]) for name in ("allow_paths", "allow_hosts")}
    policy = FilePolicy(**{**allowed, **places})

    arena = None if config["arena_fd"] is None else Arena(config["arena_fd"])

    def launcher(model: RunwayModel, options: RunOptions) -> None:
        if options.meta or options.no_serve:
            report("not_served")
            os._exit(0)
        report("loaded", manifest=model.manifest.to_wire(), import_s=time.monotonic() - began)
        given = config["options"]
        warm_up = WarmUp(model, config["warmup"], config["max_batch_size"])
        try:
            loop = make_loop(
                model, config["address"], policy, report, arena, warm_up, marks, config["lanes"]
            )
            loop.run(
                options.model_options if given is None else given,
                policy
                if config["generation"]
                else None,  # the first options are the operator's own
            )
        except RunwayError as error:
            if error.code < 500:  # an option's fault; the way here through our code tells nothing
                print(error.message, file=sys.stderr)
            else:
                error.print_exception()
            is_warm_up = isinstance(error, WarmUpError)
            said = {**error.to_wire(), "message": with_file(error.message, error)}
            report("warmup_failed" if is_warm_up else "setup_failed", error=said)
            _leave(1)
        except SystemExit as stop:  # a command called sys.exit(): the worker ends as it asked
            _leave(stop.code if isinstance(stop.code, int) else int(stop.code is not None))
        except BaseException:
            traceback.print_exc()
            _leave(1)

    began = time.monotonic()
    try:
        load_script(Path(config["script"]), config["arguments"], launcher)
    except SystemExit as stop:
        report("load_failed", message=f"the script ended with exit code {stop.code}")
        _leave(1)
    except NeverRanError as error:
        report("load_failed", message=str(error))
        _leave(1)
    except BaseException as error:
        print_from(config["script"], error)
        report("load_failed", message=f"{type(error).__name__}: {error}")
        _leave(1)


def _leave(code: int) -> None:
    """End at once: threads that the script started must not keep a failed worker alive."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
