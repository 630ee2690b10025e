"""`Target`: the server, the command and the one request that is sent to it again and again."""

from __future__ import annotations

import http.client
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

HINT = "start one with `runway-serve script.py`, or give its address"


class BenchError(Exception):
    """Nothing can be measured; the message tells the user what to do."""


@dataclass(frozen=True)
class Answer:
    """A whole HTTP answer; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Target:
    """Where requests go and what they carry."""

    host: str
    port: int
    prefix: str  # of the path; empty, or as "/model"
    command: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    is_tls: bool = False
    timeout_s: float = 60.0

    @classmethod
    def of(
        cls,
        url: str,
        command: str,
        body: bytes,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = 60.0,
    ) -> Target:
        """The target of a URL; without a scheme it is http.

        Raises:
            BenchError: the URL names no server.
        """
        try:
            parts = urlsplit(url if "://" in url else f"http://{url}")
            port = parts.port
        except ValueError as error:
            raise BenchError(f"{url} is not a URL: {error}") from error
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise BenchError(f"{url} names no server; give one as http://127.0.0.1:9000")
        is_tls = parts.scheme == "https"
        return cls(
            host=parts.hostname,
            port=port or (443 if is_tls else 80),
            prefix=parts.path.rstrip("/"),
            command=command.strip("/"),
            body=body,
            headers=dict(headers or {}),
            is_tls=is_tls,
            timeout_s=timeout_s,
        )

    @property
    def authority(self) -> str:
        """Host and port as the Host header has them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The server's address."""
        return f"{'https' if self.is_tls else 'http'}://{self.authority}{self.prefix}"

    @property
    def path(self) -> str:
        """Path of the command."""
        return f"{self.prefix}/{quote(self.command, safe='/:')}"

    @property
    def is_loopback(self) -> bool:
        """Whether the server runs on this machine."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def request(self) -> bytes:
        """Head and body, encoded once for all sends."""
        headers = {"Host": self.authority, **self._headers()}
        headers["Content-Length"] = str(len(self.body))
        lines = [f"POST {self.path} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode("latin1") + self.body

    def get(self, path: str) -> Answer:
        """Answer of `GET <prefix><path>`.

        Raises:
            BenchError: the server cannot be reached.
        """
        return self._ask("GET", self.prefix + path, None)

    def post(self) -> Answer:
        """Answer of the command, once, outside any measurement.

        Raises:
            BenchError: the server cannot be reached.
        """
        return self._ask("POST", self.path, self.body)

    def _headers(self) -> dict[str, str]:
        given = {name.lower() for name in self.headers}
        default = {} if "content-type" in given else {"Content-Type": "application/json"}
        return {**default, **self.headers}

    def _ask(self, method: str, path: str, body: bytes | None) -> Answer:
        kind = http.client.HTTPSConnection if self.is_tls else http.client.HTTPConnection
        connection = kind(self.host, self.port, timeout=self.timeout_s)
        try:
            connection.request(method, path, body, self._headers())
            answer = connection.getresponse()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, headers, answer.read())
        except ConnectionRefusedError as error:
            raise BenchError(f"no server listens at {self.url}: {HINT}") from error
        except TimeoutError as error:
            after = f"{method} {path} within {self.timeout_s:g} s"
            raise BenchError(f"{self.url} did not answer {after} (--timeout)") from error
        except OSError as error:
            raise BenchError(f"{self.url} cannot be reached: {error}") from error
        except http.client.HTTPException as error:
            raise BenchError(f"{self.url} does not answer as HTTP has it: {error!r}") from error
        finally:
            connection.close()
