"""Install, start, check and measure the rivals and ours: `python -m benchmarks.rivals`.

python -m benchmarks.rivals --quick
python -m benchmarks.rivals --workloads W1,W3 --rivals mosec,litserve --rounds 3 --seconds 6
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from benchmarks.rivals import bars, work
from benchmarks.rivals.contenders import CONTENDERS, OURS
from benchmarks.rivals.environment import CACHE
from benchmarks.rivals.points import POINTS
from benchmarks.rivals.race import Race
from benchmarks.rivals.results import Results
from benchmarks.rivals.servers import adopt_orphans

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Measure what the flags ask for; write the results after each workload, so that a break loses little."""
    flags = _flags()
    began = time.monotonic()

    def say(line: str) -> None:
        print(f"[{time.monotonic() - began:6.1f} s] {line}", flush=True)

    adopt_orphans()
    results = Results(_settings(flags))
    race = Race(flags.rounds, flags.seconds, flags.knob, results, say)
    measured = []
    try:
        for workload in flags.workloads:
            wanted = [point for point in POINTS if point.workload == workload]
            if flags.clients:
                wanted = [p for p in wanted if p.clients in flags.clients or not p.clients]
            race.run(workload, wanted, flags.contenders)
            measured += wanted
            _write(results, measured, flags.output)
    finally:
        _write(results, measured, flags.output)
    print("\n" + results.as_markdown(measured))
    print(bars.as_markdown(results))
    say(f"wrote {flags.output}.json and {flags.output}.md")


def _write(results: Results, measured: Sequence[Any], output: Path) -> None:
    output.parent.mkdir(parents=True, exist_ok=True)
    judged = [asdict(verdict) for verdict in bars.verdicts(results)]
    whole = {**json.loads(results.as_json()), "bars": judged}
    output.with_suffix(".json").write_text(json.dumps(whole, indent=1) + "\n")
    text = "\n".join([results.as_markdown(measured), bars.as_markdown(results)])
    output.with_suffix(".md").write_text(text)


def _settings(flags: argparse.Namespace) -> dict[str, Any]:
    return {
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "machine": f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}, clients on the same cores",
        "rounds": flags.rounds,
        "seconds": flags.seconds,
        "knobs": flags.knob,
        "paused_while_others_run": "every rival but the measured one, by SIGSTOP",
    }


def _flags() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.rivals",
        description="Measure other model servers and ours on the same work, in turns.",
    )
    rivals = [name for name in CONTENDERS if name != OURS]
    parser.add_argument(
        "--workloads",
        type=lambda text: _choice(text, list(work.WORKLOADS)),
        default=list(work.WORKLOADS),
        help=f"some of {','.join(work.WORKLOADS)} (default all)",
    )
    parser.add_argument(
        "--rivals",
        type=lambda text: _choice(text, rivals),
        default=rivals,
        help=f"some of {','.join(rivals)} (default all)",
    )
    parser.add_argument("--clients", type=_numbers, help="only points with these numbers of them")
    parser.add_argument("--rounds", type=int, default=3, help="(default 3)")
    parser.add_argument("--seconds", type=float, default=2.0, help="a measurement (default 2)")
    parser.add_argument("--quick", action="store_true", help="one round of one second")
    parser.add_argument(
        "--knob",
        action="append",
        default=[],
        metavar="RIVAL:NAME=JSON",
        help="override a setting of a rival's server.py, as mosec:num=1",
    )
    parser.add_argument("--output", type=Path, help="path without ending for the results")
    flags = parser.parse_args()
    if flags.quick:
        flags.rounds, flags.seconds = 1, 1.0
    flags.knob = _knobs(flags.knob)
    flags.contenders = [CONTENDERS[name] for name in [OURS, *flags.rivals]]
    flags.output = flags.output or (CACHE / "quick" if flags.quick else RESULTS / "latest")
    return flags


def _choice(text: str, known: Sequence[str]) -> list[str]:
    chosen = text.split(",")
    unknown = [name for name in chosen if name not in known]
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(known)}")
    return chosen


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def _knobs(given: Sequence[str]) -> dict[str, dict[str, Any]]:
    knobs: dict[str, dict[str, Any]] = {}
    for text in given:
        rival, _, setting = text.partition(":")
        name, _, value = setting.partition("=")
        if rival not in CONTENDERS or not name or not value:
            sys.exit(f"--knob {text}: expected RIVAL:NAME=JSON, as mosec:num=1")
        knobs.setdefault(rival, {})[name] = json.loads(value)
    return knobs


if __name__ == "__main__":
    main()
