"""Flask under gunicorn: https://flask.palletsprojects.com/en/stable/deploying/gunicorn/.

Workers after https://docs.gunicorn.org/en/stable/design.html#how-many-workers (twice the cores and one), of the gthread
class, the one there that keeps connections alive. There is no batching; the workers share
the accelerator.
"""

import os
import sys

from flask import Flask, request

from benchmarks.rivals.work import Job, knob, port, served

_, WORKLOAD = served()


def create_app() -> Flask:
    """One route a command."""
    app = Flask(__name__)
    for command in WORKLOAD.commands:
        app.add_url_rule(f"/{command}", command, view(command), methods=["POST"])
    return app


def view(command: str) -> object:
    """The view function of a command."""
    job = Job(command)

    def answer() -> dict:
        return job.encode(job.predict([job.decode(request.get_json())])[0])

    return answer


if __name__ == "__main__":
    workers = knob("workers", 2 * os.cpu_count() + 1)
    os.chdir(os.path.dirname(os.path.abspath(__file__)))
    command = [sys.executable, "-m", "gunicorn", "server:create_app()", "-k", "gthread"]
    command += ["--workers", str(workers), "--threads", str(knob("threads", 4))]
    # no time limit: a server that is paused between its turns must not be taken for dead
    command += ["--timeout", "0", "--bind", f"127.0.0.1:{port()}", "--log-level", "error"]
    command += ["--keep-alive", "75"]
    os.execv(sys.executable, command)
