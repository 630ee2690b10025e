"""The socket that clients connect to: bound by the supervisor, before anything that takes long."""

from __future__ import annotations

import errno
import ipaddress
import socket

from runway_serve.config import ConfigError

BACKLOG = 2048  # connections that wait while a front is replaced


def bind(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        ConfigError: the port is taken, or the address is not one of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        listener.close()
        if getattr(error, "errno", None) != errno.EADDRINUSE:
            raise ConfigError(f"cannot bind {host}:{port}: {error}") from error
        raise ConfigError(f"port {port} is in use; choose another with --port") from error
    listener.listen(BACKLOG)
    return listener


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def url_of(host: str, port: int) -> str:
    """Where a browser on this machine finds the server."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
