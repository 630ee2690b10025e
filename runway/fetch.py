"""Downloads one http or https address into a file, within limits, from allowed addresses only.

The address that was checked is the address that is connected to, on every redirect again, so that a name that resolves
differently the second time gains nothing. Proxies of the environment are not used for the same reason.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
import time
from dataclasses import dataclass
from typing import IO
from urllib.parse import quote, urljoin, urlsplit

from runway.disk import is_disk_full

CHUNK_BYTES = 1 << 18
MAX_REDIRECTS = 5
REDIRECTS = frozenset({301, 302, 303, 307, 308})
OPERATION_TIMEOUT_S = 30.0  # silence of a server that is connected
UNRESERVED = "%/:=&?~#+!$,;'@()*[]"  # already meant as they stand in an address
NAT64 = ipaddress.ip_network("64:ff9b::/96")

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True)
class FetchLimits:
    """Bounds of one download; `allow_hosts` as in `FilePolicy`."""

    max_bytes: int
    timeout_s: float
    allow_hosts: tuple[str, ...] | None = None


def fetch(url: str, target: IO[bytes], limits: FetchLimits) -> None:
    """Write what `url` answers to `target`.

    Raises:
        ValueError: with a message for the client; it names no address that the client did not give.
        OSError: the disk is full.
    """
    deadline = time.monotonic() + limits.timeout_s
    for _ in range(MAX_REDIRECTS + 1):
        connection = _connection(url, limits, deadline)
        timer = threading.Timer(max(deadline - time.monotonic(), 0), connection.interrupt)
        timer.daemon = True
        timer.start()
        try:
            location = _receive(connection, url, target, limits)
            if (
                connection.is_interrupted
            ):  # a closed connection ends a body too, so it looks complete
                raise TimeoutError
        except (OSError, http.client.HTTPException, ValueError) as error:
            if connection.is_interrupted:
                raise ValueError(
                    f"download took longer than {limits.timeout_s:g} s (--download-timeout)"
                ) from error
            if isinstance(error, _FetchRefused) or is_disk_full(error):
                raise
            raise ValueError("file could not be downloaded") from error
        finally:
            timer.cancel()
            connection.close()
        if location is None:
            return
        url = urljoin(url, location)
    raise _FetchRefused(f"more than {MAX_REDIRECTS} redirects")


class _FetchRefused(ValueError):
    """A download we stop by rule, not one that failed."""


class _Connection(http.client.HTTPConnection):
    """A connection to addresses that were looked up and checked before. `interrupt` may come from another thread."""

    def __init__(
        self, host: str, port: int, addresses: list[str], is_tls: bool, timeout_s: float
    ) -> None:
        super().__init__(host, port, timeout=min(OPERATION_TIMEOUT_S, timeout_s))
        self._addresses = addresses
        self._is_tls = is_tls
        self.is_interrupted = False
        self._wire: socket.socket | None = (
            None  # `sock` is gone once an answer without a length begins
        )
        # the Host header leaves the scheme's own port out
        self.default_port = 443 if is_tls else 80

    def connect(self) -> None:
        self.sock = self._wire = self._first_socket()
        if self.is_interrupted:
            raise TimeoutError
        if self._is_tls:
            self.sock = self._wire = ssl.create_default_context().wrap_socket(
                self.sock, server_hostname=self.host, do_handshake_on_connect=False
            )
            self.sock.do_handshake()

    def interrupt(self) -> None:
        self.is_interrupted = True
        if self._wire is not None:
            with contextlib.suppress(OSError):  # it has ended by itself
                socket.socket.shutdown(self._wire, socket.SHUT_RDWR)

    def _first_socket(self) -> socket.socket:
        failure: OSError = OSError("no address")
        for address in self._addresses:
            if self.is_interrupted:
                break
            try:
                return socket.create_connection((address, self.port), self.timeout)
            except OSError as error:
                failure = error
        raise failure


def _connection(url: str, limits: FetchLimits, deadline: float) -> _Connection:
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise _FetchRefused("not a valid address") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise _FetchRefused("only http and https addresses can be downloaded")
    try:
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except (OSError, ValueError) as error:
        raise _FetchRefused("file could not be downloaded") from error
    addresses = [str(entry[4][0]) for entry in found]
    allowed = limits.allow_hosts
    is_free = allowed is None or _is_listed(parts.hostname, port, allowed)
    if not is_free and not all(is_public(address) for address in addresses):
        raise _FetchRefused("address not allowed")
    left_s = deadline - time.monotonic()
    if left_s <= 0:
        raise _FetchRefused(
            f"download took longer than {limits.timeout_s:g} s (--download-timeout)"
        )
    return _Connection(parts.hostname, port, addresses, parts.scheme == "https", left_s)


def is_public(address: str) -> bool:
    """True for an address of the open internet, whatever IPv6 form an IPv4 address is dressed in."""
    ip = _inner_address(ipaddress.ip_address(address.partition("%")[0]))
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def _inner_address(ip: IPAddress) -> IPAddress:
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip in NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else ip)


def _is_listed(host: str, port: int, allowed: tuple[str, ...]) -> bool:
    names = {entry.lower().rstrip(".") for entry in allowed}
    return not names.isdisjoint({host.rstrip("."), f"{host.rstrip('.')}:{port}"})


def _receive(
    connection: _Connection, url: str, target: IO[bytes], limits: FetchLimits
) -> str | None:
    """Fill `target`, or give the address of a redirect."""
    parts = urlsplit(url)
    path = quote(parts.path or "/", safe=UNRESERVED)
    query = f"?{quote(parts.query, safe=UNRESERVED)}" if parts.query else ""
    headers = {"User-Agent": "runway", "Accept": "*/*", "Accept-Encoding": "identity"}
    connection.request("GET", path + query, headers=headers)
    response = connection.getresponse()
    if response.status in REDIRECTS:
        location = response.getheader("Location")
        if not location:
            raise _FetchRefused("redirect without an address")
        return location
    if response.status != http.client.OK:
        raise _FetchRefused(f"server answered HTTP {response.status}")
    expected = response.length
    received = 0
    # read1 comes back with what is there: a slow server cannot hold one read for long
    while chunk := response.read1(CHUNK_BYTES):
        received += len(chunk)
        if received > limits.max_bytes:
            break
        target.write(chunk)
    if max(received, expected or 0) > limits.max_bytes:
        raise _FetchRefused(f"file is larger than {limits.max_bytes} bytes (--max-download-mb)")
    if expected is not None and received != expected:
        raise _FetchRefused("file could not be downloaded")
    return None
