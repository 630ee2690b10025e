"""`python flask_only.py script.py`: serve a script by its Flask app alone, so that both HTTP paths can be compared.

A server answers `POST /<command>` on its event loop; `model.app`, as `app.test_client()` uses it, must answer the same.
"""

from __future__ import annotations

import runpy
import sys
import threading

from werkzeug.serving import make_server

from runway.launch import RunOptions, prepare, use_launcher
from runway.model import RunwayModel


def serve(model: RunwayModel, options: RunOptions) -> None:
    prepare(model, options.model_options)
    server = make_server(options.host, options.port, model.app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    model.engine.serve()


if __name__ == "__main__":
    with use_launcher(serve):
        runpy.run_path(sys.argv[1], run_name="__main__")
