"""Try a rival's settings on one workload, to find those with which it takes part.

python -m benchmarks.rivals.tune mosec W2 max_wait_time=1,5,10 num=1,2

Every combination of the values is measured once at each point of the workload. What wins by more than the noise goes
into the rival's server.py as the default.
"""

from __future__ import annotations

import argparse
import itertools
import json
from typing import Any

from benchmarks.rivals.contenders import CONTENDERS
from benchmarks.rivals.points import POINTS
from benchmarks.rivals.race import Race
from benchmarks.rivals.results import Results
from benchmarks.rivals.servers import adopt_orphans


def main() -> None:
    """Print a line for each combination and point."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("rival", choices=list(CONTENDERS))
    parser.add_argument("workload")
    parser.add_argument("knobs", nargs="*", metavar="NAME=JSON,JSON", type=_values)
    parser.add_argument("--seconds", type=float, default=2.0)
    flags = parser.parse_args()
    adopt_orphans()
    wanted = [point for point in POINTS if point.workload == flags.workload]
    for combination in itertools.product(*flags.knobs):
        knobs = dict(combination)
        results = Results({})
        race = Race(1, flags.seconds, {flags.rival: knobs}, results, say=lambda line: None)
        race.run(flags.workload, wanted, [CONTENDERS[flags.rival]])
        for outcome in [*results.measurements, *results.absences]:
            print(f"{json.dumps(knobs)} {outcome.point}: {outcome}", flush=True)


def _values(text: str) -> list[tuple[str, Any]]:
    name, _, values = text.partition("=")
    return [(name, json.loads(value)) for value in values.split(",")]


if __name__ == "__main__":
    main()
