"""Play one HTTP exchange, several at once, or one run of the command line."""

from __future__ import annotations

import base64
import gzip
import http.client
import json
import re
import subprocess
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from tests.conformance.fixtures import expand
from tests.conformance.matching import match, short
from tests.conformance.pictures import Mismatch
from tests.processes import clean_env, end

Names = dict[str, str]


@dataclass(frozen=True)
class Request:
    """What is sent, to the byte."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes | None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def build_request(spec: dict[str, Any], names: Names) -> Request:
    """The request that a case describes."""
    headers = dict(spec.get("headers", {}))
    body: bytes | None = None
    if "json" in spec:
        body = json.dumps(expand(spec["json"], names)).encode()
        if "content-type" not in {key.lower() for key in headers} and "no_content_type" not in spec:
            headers["Content-Type"] = "application/json"
    elif "body" in spec:
        body = expand(spec["body"], names).encode()
    elif "body_b64" in spec:
        body = base64.b64decode(spec["body_b64"])
    if spec.get("gzip"):
        body = gzip.compress(body or b"")
    return Request(spec.get("method", "GET"), spec["path"], headers, body)


def send(port: int, request: Request, timeout_s: float) -> tuple[int, dict[str, str], bytes]:
    """Status, headers (lower-case names) and body as they came over the wire."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    try:
        connection.putrequest(request.method, request.path, skip_accept_encoding=True)
        for key, value in request.headers.items():
            connection.putheader(key, value)
        if request.body is not None or request.method in ("POST", "PUT", "PATCH"):
            connection.putheader("Content-Length", str(len(request.body or b"")))
        connection.endheaders()
        if request.body:
            connection.send(request.body)
        response = connection.getresponse()
        got = {key.lower(): value for key, value in response.getheaders()}
        return response.status, got, response.read()
    except (OSError, http.client.HTTPException) as err:
        raise Mismatch(f"{request}: no answer ({err!r})") from err
    finally:
        connection.close()


def decompress(headers: dict[str, str], body: bytes) -> bytes:
    """The body without its content encoding."""
    encoding = headers.get("content-encoding", "").lower()
    if encoding == "gzip":
        return gzip.decompress(body)
    if encoding == "deflate":
        return zlib.decompress(body)
    if encoding == "br":
        raise Mismatch("brotli answer although the request did not ask for it")
    return body


def check_http(port: int, step: dict[str, Any], names: Names, timeout_s: float) -> None:
    """Send one request and compare the answer.

    Raises:
        Mismatch: naming method, path and the difference.
    """
    request = build_request(step["request"], names)
    where = str(request)
    status, headers, body = send(port, request, timeout_s)
    body = decompress(headers, body)
    text = body.decode("utf8", "replace")
    want = expand(step["expect"], names)

    allowed = want.get("status", 200)
    if status not in (allowed if isinstance(allowed, list) else [allowed]):
        raise Mismatch(f"{where}: status {status}, expected {allowed}; body {short(text)}")
    for key, pattern in want.get("headers", {}).items():
        check_header(key, pattern, headers.get(key.lower()), where)
    if "contains" in want and want["contains"] not in text:
        raise Mismatch(f"{where}: body does not contain {want['contains']!r}")
    if "json" in want:
        try:
            got = json.loads(body.decode("utf8"))
        except ValueError as err:
            raise Mismatch(f"{where}: body is not JSON: {short(text)}") from err
        match(want["json"], got, where)


def check_header(key: str, pattern: str | None, got: str | None, where: str) -> None:
    """Raise Mismatch unless a header matches; a pattern of None means it must be absent."""
    if pattern is None:
        if got is not None:
            raise Mismatch(f"{where}: unexpected header {key}: {got}")
    elif got is None or not re.search(pattern, got, re.IGNORECASE):
        raise Mismatch(f"{where}: header {key} is {got!r}, expected /{pattern}/")


def check_parallel(port: int, spec: dict[str, Any], names: Names, timeout_s: float) -> None:
    """Send `count` copies of a step at once; `#N` in a copy is its number."""
    text = json.dumps(spec["step"])
    steps = [
        json.loads(text.replace('"#N"', str(n)).replace("#N", str(n))) for n in range(spec["count"])
    ]
    with ThreadPoolExecutor(len(steps)) as pool:
        for future in [pool.submit(check_http, port, step, names, timeout_s) for step in steps]:
            future.result()


def check_cli(
    command: Sequence[str], spec: dict[str, Any], env: Names, cwd: str, limit_s: float
) -> None:
    """Run the start command to its end and compare exit code and output.

    Args:
        spec: the case's expectation, placeholders filled in.
        env: what to add to a clean environment.
        limit_s: how long it may run.
    """
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env=clean_env(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
        errors="replace",
    )
    try:
        out, err = process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired as late:
        raise Mismatch(f"cli: still running after {limit_s} s") from late
    finally:
        end(process)
    check_exit(process.returncode, err, spec)
    for name, text in (("stdout", out), ("stderr", err)):
        pattern, absent = spec.get(f"{name}_regex"), spec.get(f"{name}_lacks")
        if pattern and not re.search(pattern, text, re.DOTALL):
            raise Mismatch(f"cli: {name} does not match /{pattern}/: {short(text[-120:])}")
        if absent and absent in text:
            raise Mismatch(f"cli: {name} contains {absent!r}")
    if "stdout_json" in spec:
        check_json_line(out, spec)


def check_exit(code: int, err: str, spec: dict[str, Any]) -> None:
    if "exit" in spec and code != spec["exit"]:
        raise Mismatch(f"cli: exit code {code}, expected {spec['exit']} ({short(err[-300:])})")
    if spec.get("exit_nonzero") and code == 0:
        raise Mismatch("cli: exit code 0, expected a failure")


def check_json_line(out: str, spec: dict[str, Any]) -> None:
    """The last line of standard output is JSON, and the only one if the case says so."""
    lines = [line for line in out.splitlines() if line.strip()]
    try:
        got = json.loads(lines[-1])
    except (IndexError, ValueError) as err:
        raise Mismatch(f"cli: last line of stdout is not JSON: {short(out[-120:])}") from err
    match(spec["stdout_json"], got, "cli")
    if spec.get("stdout_only_json") and len(lines) != 1:
        raise Mismatch(f"cli: stdout has {len(lines)} lines, expected only the JSON line")
