"""`GET /openapi.json`: valid, the same from a server and from a script alone, and true when played against a server."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.serving import run_script, serve

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "tests" / "scripts" / "typed.py"
# Calls of each command that a model answered, and as many that its inputs refused.
LEAST_OF_EACH = 5
# A box without area fits its schema and is a 400: what JSON Schema cannot say.
CONFIGURATION = """
[checks]
positive_data_acceptance.expected-statuses = [200, 202, 204, 400, 404]

# A POST to a word of the server is a call of a command of that name, which is told about its body first.
[[operations]]
include-path-regex = "^/(meta|healthcheck|ready|metrics|openapi.json)?$"
checks.unsupported_method.enabled = false
checks.allow_header_conformance.enabled = false
"""


@pytest.fixture(scope="module")
def server():
    with serve(SCRIPT, "--gpus", "none") as served:
        yield served


def test_the_document_is_valid(server):
    validate = pytest.importorskip("openapi_spec_validator").validate

    document = server.get("/openapi.json").json()
    validate(document)

    assert document["openapi"].startswith("3.1")
    assert {"/plain", "/pictures%20%7B1%7D", "/steps", "/setup", "/jobs/{id}", "/ready"} <= set(
        document["paths"]
    )


def test_a_script_alone_tells_the_same_but_for_the_servers_own_routes(server):
    whole = server.get("/openapi.json").json()
    with run_script(SCRIPT) as alone:
        part = alone.get("/openapi.json").json()

    assert {path: whole["paths"].pop(path) for path in ("/ready", "/metrics")}
    assert part == whole


def test_limits_and_required_inputs_are_told(server):
    body = server.get("/openapi.json").json()["paths"]["/plain"]["post"]["requestBody"]
    schema = body["content"]["application/json"]["schema"]

    shown = schema["properties"]
    assert shown["amount"] == {"type": "number", "minimum": 0, "maximum": 10, "default": 2.5}
    assert shown["words"]["maxItems"] == 4 and shown["words"]["items"]["maxLength"] == 5
    assert shown["choice"]["enum"] == ["small", 2, None]
    assert shown["flag"]["description"] == "On or off"
    assert set(schema["required"]) == {"anything", "words", "spot", "box", "face"}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_nothing_in_it_is_untrue(server, tmp_path):
    pytest.importorskip("schemathesis")
    settings = tmp_path / "schemathesis.toml"
    settings.write_text(CONFIGURATION)
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    play = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(settings), "run"]
    how = ["--max-examples", "60", "--seed", "6", "--request-timeout", "30", "--no-color"]

    played = subprocess.run(
        [*play, f"{server.url}/openapi.json", *how],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "SCHEMATHESIS_HOOKS": "tests.serve.real_pictures", "PYTHONPATH": path},
        check=False,
    )

    assert played.returncode == 0, played.stdout[-20000:] + played.stderr[-2000:]
    assert server.get("/ready").status_code == 200
    for command in server.get("/meta").json()["commands"]:
        for code in (200, 400):
            count = answers(server, command["name"], code)
            assert count >= LEAST_OF_EACH, (command["name"], code, count)
    followed = re.search(r"API Links: +(\d+) covered", played.stdout)
    assert followed and int(followed[1]) >= 3, "jobs were made, but not asked for again"


def answers(server, command: str, code: int) -> float:
    """How many requests of a command got this code."""
    name = f'runway_requests_total{{code="{code}",command="{command}"}} '
    lines = server.get("/metrics").text.splitlines()
    return sum(float(line.removeprefix(name)) for line in lines if line.startswith(name))
