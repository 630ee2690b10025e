"""`python -m tests.chaos --seconds 200 --seed 1`: prints the ledger; exit code 1 if it is not in order."""

from __future__ import annotations

import argparse
import sys

from tests.chaos.drill import CLIENTS, drill

SHOWN = 40


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos")
    parser.add_argument("--seconds", type=float, default=200.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--clients", type=int, default=CLIENTS)
    options = parser.parse_args()
    ledger, problems = drill(options.seconds, options.seed, options.clients)
    print(f"seconds: {options.seconds:g}, seed: {options.seed}, clients: {options.clients}")
    print(ledger.text())
    print(f"what must not be: {len(problems)}")
    for problem in problems[:SHOWN]:
        print(f"  {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
