"""`python -m runway_serve.project.healthcheck`: exit code 0 if the server in this container answers. For HEALTHCHECK.

It asks the port of RW_PORT, so a container changes its port by that variable rather than by `--port`.
"""

from __future__ import annotations

import http.client
import os
import sys

TIMEOUT_S = 4.0  # below the 5 s that the Dockerfile gives it


def is_alive(port: int) -> bool:
    """Whether `GET /healthcheck` of this machine is answered with 200; a proxy of the environment is not asked."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/healthcheck")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(0 if is_alive(int(os.environ.get("RW_PORT", "9000"))) else 1)
