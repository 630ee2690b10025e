"""Right answers before fast ones: what every server must get right before it is timed."""

from __future__ import annotations

import http.client
import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from benchmarks.rivals import points, work
from benchmarks.rivals.contenders import Contender
from benchmarks.rivals.servers import START_LIMIT_S, NotRunningError, Server

DISTINCT = 48  # different requests a command
CLIENTS = 16  # at once, so that a server that batches has to keep answers apart


class WrongAnswerError(RuntimeError):
    """A server answered, but not what the work demands."""


def wait_until_ready(server: Server, contender: Contender, workload: str) -> float:
    """Seconds until the server answered each of its commands with 200.

    Raises:
        NotRunningError: it died, or did not answer in time.
    """
    began = time.monotonic()
    failure = "no answer"
    for command in work.WORKLOADS[workload].commands:
        example = points.examples(workload, command, 1)[0]
        while True:
            _ = server.pid  # raises if it died
            try:
                call(server, contender, workload, command, example)
                break
            except (OSError, http.client.HTTPException, WrongAnswerError) as error:
                failure = str(error) or repr(error)
            if time.monotonic() - began > START_LIMIT_S:
                raise NotRunningError(
                    f"{server.name} did not answer right in {START_LIMIT_S:.0f} s: {failure}; "
                    f"log: {server.log_tail()}"
                )
            time.sleep(0.2)
    return time.monotonic() - began


def check_answers(server: Server, contender: Contender, workload: str) -> int:
    """Number of different requests that were answered right, several at a time.

    Raises:
        WrongAnswerError: one was not.
    """
    checked = 0
    for command in work.WORKLOADS[workload].commands:
        chosen = points.examples(workload, command, DISTINCT)
        with ThreadPoolExecutor(CLIENTS) as pool:
            jobs = [
                pool.submit(call, server, contender, workload, command, example)
                for example in chosen
            ]
            checked += len([job.result() for job in jobs])
    return checked


def call(
    server: Server, contender: Contender, workload: str, command: str, example: points.Example
) -> None:
    """Send one request on a connection of its own and hold its answer against the right one.

    Raises:
        WrongAnswerError: another status than 200, or another answer.
    """
    body = points.as_json(contender.wrap(workload, example.body))
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)) as connection:
        headers = {"Content-Type": "application/json"}
        connection.request("POST", contender.path(workload, command), body, headers)
        answer = connection.getresponse()
        text = answer.read()
    if answer.status != 200:
        raise WrongAnswerError(f"{command}: status {answer.status}: {_shown(text)}")
    try:
        is_right = example.is_right(contender.unwrap(workload, json.loads(text)))
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise WrongAnswerError(f"{command}: {error!r} in {_shown(text)}") from error
    if not is_right:
        raise WrongAnswerError(f"{command}: wrong answer {_shown(text)}")


def _shown(text: bytes, limit: int = 200) -> str:
    return text[:limit].decode("utf8", "replace")
