"""One workload: all its servers alive together, the rivals that are not measured paused, in turns for some rounds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks.rivals import check, load, mixed, points
from benchmarks.rivals.contenders import OURS, Contender
from benchmarks.rivals.environment import NotInstalledError
from benchmarks.rivals.points import Point
from benchmarks.rivals.results import Absence, Measurement, Results
from benchmarks.rivals.servers import NotRunningError, Server

WARM_UP_S = 1.0  # the shortest that wrk can do
IDLE_WATCH_S = 1.0

FAILURES = (NotInstalledError, NotRunningError, check.WrongAnswerError, load.LoadError)


@dataclass
class Runner:
    """A contender and its server of the present workload."""

    contender: Contender
    server: Server


@dataclass
class Race:
    """How long and how often everything is measured, and where the figures go."""

    rounds: int
    seconds: float
    knobs: Mapping[str, Mapping[str, Any]]
    results: Results
    say: Callable[[str], None]

    def run(self, workload: str, wanted: Sequence[Point], contenders: Sequence[Contender]) -> None:
        """Measure those points of one workload, every contender once a round."""
        with ExitStack() as stack:
            runners = self._start(stack, workload, contenders)
            for runner in runners:
                self._note_idle(workload, runner)
            for point in wanted:
                for turn in range(self.rounds):
                    # A B C, C B A, A B C: what drifts meets all alike
                    for runner in runners if turn % 2 == 0 else runners[::-1]:
                        self._measure(point, turn, runner)
                self.say(self.results.line(point))
            for runner in runners:
                runner.server.resume()

    def _start(
        self, stack: ExitStack, workload: str, contenders: Sequence[Contender]
    ) -> list[Runner]:
        started = []
        for contender in contenders:
            with self._noting_absence(workload, contender):
                knobs = self.knobs.get(contender.name, {})
                command = contender.command(workload, knobs)
                server = Server(contender.name, command, workload, knobs)
                started.append(Runner(contender, stack.enter_context(server)))
        running = []
        for runner in started:
            with self._noting_absence(workload, runner.contender):
                check.wait_until_ready(runner.server, runner.contender, workload)
                age_s = runner.server.age_s()
                right = check.check_answers(runner.server, runner.contender, workload)
                running.append(runner)
                self.say(
                    f"{workload} {runner.server.name}: up {age_s:.1f} s, {right} answers right"
                )
        return running

    def _note_idle(self, workload: str, runner: Runner) -> None:
        """What the server costs while nobody asks, then pause it."""
        before = runner.server.cpu_seconds()
        time.sleep(IDLE_WATCH_S)
        share = (runner.server.cpu_seconds() - before) / IDLE_WATCH_S
        self.results.idle_cpu[f"{workload} {runner.server.name}"] = round(share, 3)
        self._rest(runner)

    def _rest(self, runner: Runner) -> None:
        """Pause a rival; ours stays awake, as its master takes a front that is silent for a minute for dead."""
        if runner.contender.name != OURS:
            runner.server.pause()

    def _measure(self, point: Point, turn: int, runner: Runner) -> None:
        if self.results.is_absent(point.workload, runner.contender.name):
            return
        server = runner.server
        with self._noting_absence(point.workload, runner.contender, point):
            server.resume()
            try:
                # what is slow was warmed by the check of its answers
                if turn == 0 and not point.is_slow:
                    self._load(point, runner, WARM_UP_S)
                # a right answer comes when what an earlier load left in the queue is done
                check.wait_until_ready(server, runner.contender, point.workload)
                cpu_before = server.cpu_seconds()
                figures = self._load(point, runner, point.seconds(self.seconds))
                cpu_s = server.cpu_seconds() - cpu_before
                requests = figures.pop("requests")
                measured = Measurement(
                    contender=runner.contender.name,
                    point=point.label,
                    turn=turn,
                    cpu_s_per_1000=1000 * cpu_s / requests,
                    memory_mb=server.memory_mb(),
                    **figures,
                )
                self.results.measurements.append(measured)
                self.say(f"{point.label}, round {turn + 1}: {measured}")
            finally:
                self._rest(runner)

    def _load(self, point: Point, runner: Runner, seconds: float) -> dict[str, float]:
        workload, contender, port = point.workload, runner.contender, runner.server.port

        def request(command: str) -> tuple[str, bytes]:
            body = points.examples(workload, command, 1)[0].body
            return contender.path(workload, command), points.as_json(contender.wrap(workload, body))

        if workload == "W7":
            large = request("invert") if point.has_images else None
            return mixed.steady_rate(port, request("echo"), large, seconds)
        path, body = request(points.command_of(workload))
        return load.closed_loop(f"http://127.0.0.1:{port}{path}", body, point.clients, seconds)

    @contextmanager
    def _noting_absence(
        self, workload: str, contender: Contender, point: Point | None = None
    ) -> Iterator[None]:
        """Write down why a rival could not take part; ours has to."""
        try:
            yield
        except FAILURES as error:
            if contender.name == OURS:
                raise
            label = point.label if point else workload
            self.results.absences.append(Absence(contender.name, workload, label, str(error)))
            self.say(f"{label} {contender.name}: not run: {error}")
