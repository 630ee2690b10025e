"""Starts BentoML on service.py with its production command, `bentoml serve`."""

import os
import sys

from benchmarks.rivals.work import port

if __name__ == "__main__":
    home = os.environ["HOME"]
    os.environ |= {"BENTOML_HOME": home, "BENTOML_DO_NOT_TRACK": "true"}
    folder = os.path.dirname(os.path.abspath(__file__))
    command = [sys.executable, "-m", "bentoml", "serve", "service:Rival", "--working-dir", folder]
    command += ["--host", "127.0.0.1", "--port", str(port())]
    os.execv(sys.executable, command)
