"""Suites of cases, the servers they are played against, and the outcome of each case."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.conformance.dialogue import check_dialogue
from tests.conformance.exchanges import Names, check_cli, check_http, check_parallel
from tests.conformance.fixtures import expand, fixture_names
from tests.conformance.pictures import Mismatch
from tests.processes import (
    ServerProcess,
    ServerStartError,
    command_line,
    free_port,
    is_running,
    start_ready,
)

HERE = Path(__file__).resolve().parent
STRICT = {"RW_STRICT_SDK": "1"}
EXCEPTIONS: dict[str, tuple[str, Mapping[str, str]]] = {
    "images/in-rgba-to-rgb": ("records that alpha was dropped; we composite on white", STRICT),
}
TWO_WORKER_EXCEPTIONS: dict[str, str] = {}


@dataclass(frozen=True)
class Suite:
    """The cases of one file and the model script they are played against."""

    name: str
    script: Path
    cases: list[dict[str, Any]]
    env: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Start:
    """How to start a server: the command template and the seconds it may take."""

    template: str = "python {script}"
    startup_s: float = 60.0
    timeout_s: float = 30.0


@dataclass(frozen=True)
class Result:
    """Outcome of one case; `error` is None when it passed."""

    case: str
    error: str | None
    why: str | None = None

    def __str__(self) -> str:
        reason = f"  [why: {self.why}]" if self.why else ""
        return f"FAIL {self.case}: {self.error}{reason}" if self.error else f"ok   {self.case}"


def load_suites(only: str = "", skip: str | None = None, folder: Path = HERE) -> list[Suite]:
    """The suites under `folder`, with the cases whose `suite/case` name matches."""
    suites = []
    for path in sorted(folder.glob("cases/*.json")):
        raw = json.loads(path.read_text("utf8"))
        cases = [
            case
            for case in raw["cases"]
            if re.search(only, f"{path.stem}/{case['id']}")
            and not (skip and re.search(skip, f"{path.stem}/{case['id']}"))
        ]
        if cases:
            script = folder / "models" / raw["script"]
            suites.append(Suite(path.stem, script, cases, raw.get("env") or {}))
    return suites


class Stage:
    """The server of a suite: started when a case needs one, again when a case wants it fresh."""

    def __init__(self, suite: Suite, start: Start, names: Names) -> None:
        self.suite = suite
        self.start = start
        self.names = names
        self.env = expand(suite.env, names)
        self.server: ServerProcess | None = None
        self.survivors: list[str] = []

    def port(self, fresh: bool) -> int:
        """Port of the running server.

        Raises:
            ServerStartError: it does not start; once said, for every later case.
        """
        if self.server is not None and (fresh or self.server.process.poll() is not None):
            self.stop()
        if self.server is None:
            self.server = self.launch(self.env)
        return self.server.port

    def launch(self, env: Mapping[str, str]) -> ServerProcess:
        def build(port: int) -> ServerProcess:
            command = command_line(self.start.template, script=self.suite.script, port=port)
            place = {"RW_HOST": "127.0.0.1", "RW_PORT": str(port)}
            return ServerProcess(command, port=port, env={**place, **env}, cwd=self.names["tmp"])

        return start_ready(build, "/healthcheck", is_running, self.start.startup_s)

    @contextmanager
    def extra_server(self, env: Mapping[str, str]) -> Iterator[int]:
        """Port of a server of its own for one case, with more environment."""
        server = self.launch({**self.env, **env})
        try:
            yield server.port
        finally:
            server.stop()
            self.survivors += server.survivors

    def stop(self) -> None:
        if self.server is not None:
            self.server.stop()
            self.survivors += self.server.survivors
            self.server = None


def play(case: dict[str, Any], stage: Stage) -> None:
    """Play one case on the suite's server, or on one of its own if it needs a switch.

    Raises:
        Mismatch: the answer is not what the case expects.
        ServerStartError: there is no server to ask.
    """
    if "cli" in case:
        return play_cli(case["cli"], stage)
    switch = EXCEPTIONS.get(f"{stage.suite.name}/{case['id']}")
    if switch is None:
        return play_on(case, stage.port(fresh=bool(case.get("fresh"))), stage)
    with stage.extra_server(switch[1]) as port:
        return play_on(case, port, stage)


def play_on(case: dict[str, Any], port: int, stage: Stage) -> None:
    names, timeout_s = stage.names, stage.start.timeout_s
    if "ws" in case:
        return check_dialogue(port, case["ws"], names, timeout_s)
    if "parallel" in case:
        return check_parallel(port, case["parallel"], names, timeout_s)
    for step in case.get("steps") or [case]:
        check_http(port, step, names, timeout_s)


def play_cli(spec: dict[str, Any], stage: Stage) -> None:
    port = free_port()
    script = stage.suite.script.with_name(spec["script"])
    command = command_line(stage.start.template, script=script, port=port)
    env = {"RW_HOST": "127.0.0.1", "RW_PORT": str(port), **expand(spec.get("env", {}), stage.names)}
    want = expand(spec["expect"], stage.names)
    check_cli(command, want, env, stage.names["tmp"], stage.start.startup_s)


def run_suite(suite: Suite, start: Start) -> Iterator[Result]:
    """Play a suite; a case that fails does not stop the others, a server that won't start does.

    The last result may be an extra one, `<suite>/leftovers`, when processes outlived the server.
    """
    with fixture_names() as names:
        stage = Stage(suite, start, names)
        broken: str | None = None
        try:
            for case in suite.cases:
                error = broken
                if broken is None or "cli" in case:
                    try:
                        play(case, stage)
                        error = None
                    except ServerStartError as err:
                        error = broken = str(err)
                    except (Mismatch, Exception) as err:  # a bug in a case must not hide the rest
                        error = str(err) if isinstance(err, Mismatch) else f"runner: {err!r}"
                yield Result(f"{suite.name}/{case['id']}", error, case.get("why"))
        finally:
            stage.stop()
        if stage.survivors:
            yield Result(f"{suite.name}/leftovers", f"had to be killed: {stage.survivors}")
