"""`python -m runway_serve.workers.explain`: sets a script's model up and tells what of it is coalesced.

Started by `runway_serve.explain`. The first line of standard input is the configuration. What was found goes as one
JSON object into the pipe that it names; what the script prints goes where the standard streams do.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
import traceback
from pathlib import Path
from typing import Any, NoReturn

from runway.exceptions import RunwayError
from runway.launch import RunOptions
from runway.model import RunwayModel
from runway_serve.workers.explanation import Explanation
from runway_serve.workers.lifeline import take_lifeline
from runway_serve.workers.script import NeverRanError, load_script, print_from


def main() -> None:
    """Load the script, run its setup and its commands, report, and end."""
    config = take_lifeline()
    os.set_inheritable(config["report_fd"], False)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    began = time.monotonic()

    def launcher(model: RunwayModel, options: RunOptions) -> None:
        given = config["options"]
        try:
            model.setup_model(options.model_options if given is None else given)
        except RunwayError as error:
            if error.code >= 500:
                error.print_exception()
            _report(config, {"error": f"the setup failed: {error.message}"})
        setup_s = time.monotonic() - began
        asked = config["lanes"], config["command_s"], config["requests"]
        try:
            commands = Explanation(model, *asked).of_all()
        except SystemExit as stop:
            _report(config, {"error": f"a command ended the process: sys.exit({stop.code})"})
        except BaseException as error:
            traceback.print_exc()
            _report(config, {"error": f"a command ended the process: {error!r}"})
        _report(config, {"ready_s": round(setup_s, 3), "commands": commands})

    try:
        load_script(Path(config["script"]), config["arguments"], launcher)
    except SystemExit as stop:
        _report(config, {"error": f"the script ended with exit code {stop.code}"})
    except NeverRanError as error:
        _report(config, {"error": str(error)})
    except BaseException as error:
        print_from(config["script"], error)
        _report(config, {"error": f"{type(error).__name__}: {error}"})


def _report(config: dict[str, Any], found: dict[str, Any]) -> NoReturn:
    """Tell, and end at once: threads that the script started must not keep this process alive."""
    with os.fdopen(config["report_fd"], "w") as pipe:
        json.dump(found, pipe)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
