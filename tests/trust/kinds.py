"""What the tests of the known failures share: the marker of a case, the rule for errors, a script made on the spot."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import requests

from tests.serving import Served

MODEL = Path(__file__).parent / "kf_model.py"
ONE = ("--gpus", "none", "--cpu-workers", "1")
TWO = ("--gpus", "none", "--cpu-workers", "2")
SLACK_S = 4.0  # a busy machine may be this much later than a case says; the bounds are far from what they rule out
MB = 1 << 20
SLACK_BYTES = 50 * MB  # "memory under limit + 50 MB"
JSON = {"Content-Type": "application/json"}
FOREIGN_WORDS = ("<html", "<!doctype", "/site-packages/", "/runway_serve/")


def case(*numbers: int) -> pytest.MarkDecorator:
    """Marks a test with the numbers of the known failures that it is about."""
    return pytest.mark.case(*numbers)


def error_of(answer: requests.Response, status: int, *words: str) -> str:
    """The sentence of an error, which has this status and all of these words, and none of the server's insides."""
    assert answer.status_code == status, (answer.status_code, answer.text[:500])
    assert answer.headers["Content-Type"].startswith("application/json")
    body = answer.json()
    assert isinstance(body, dict) and isinstance(body["error"], str), body
    assert set(body) <= {"error", "traceback"}
    text = body["error"]
    for word in words:
        assert word in text, text
    assert not any(word in text.lower() for word in FOREIGN_WORDS), text
    if status == 503:
        assert int(answer.headers["Retry-After"]) >= 1
    return text


def wait_for(is_so: Callable[[], object], timeout_s: float = 20.0, what: str = "") -> None:
    end = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < end, what or "not so in time"
        time.sleep(0.02)


def wait_for_workers(server: Served, count: int) -> None:
    wait_for(lambda: server.get("/ready").json()["workers"] == count, what=server.log()[-2000:])


def front_memory(server: Served) -> int:
    """Resident bytes of the front and its master."""
    children = psutil.Process(server.process.pid).children(recursive=True)
    fronts = [child for child in children if "runway_serve.front" in " ".join(child.cmdline())]
    assert fronts
    return sum(front.memory_info().rss for front in fronts)


def raw(server: Served, path: str, body: bytes, **headers: str) -> requests.Response:
    """A POST of bytes as they are."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    url = f"{server.url}{path}"
    return server.session.post(url, data=body, headers={**JSON, **given}, timeout=30)


def metric(server: Served, name: str, **labels: str) -> float:
    """The sum of a metric's samples that carry these labels."""
    found = 0.0
    for line in server.get("/metrics").text.splitlines():
        series, _, number = line.rpartition(" ")
        is_asked = all(f'{key}="{value}"' in series for key, value in labels.items())
        if series.partition("{")[0] == name and is_asked:
            found += float(number)
    return found


def connect(server: Served) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=30)


def written(folder: Path, source: str, name: str = "model.py") -> Path:
    """A model script with this source."""
    script = folder / name
    script.write_text(source)
    return script
