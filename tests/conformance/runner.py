"""Black-box conformance runner: plays `cases/*.json` against any server of Runway model scripts.

    python tests/conformance/runner.py                                   # starts: python {script}
    python tests/conformance/runner.py --start "runway-serve {script} --port {port} --gpus none"
    python tests/conformance/runner.py --only '^images/' --verbose

The start command gets `RW_HOST`, `RW_PORT` and the suite's own variables in its environment and a
folder of local files as its working directory. It is ready when `GET /healthcheck` says RUNNING.
Exit status 1 if a case failed. `suites.py` is the same as a library.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # for `python FILE`: finds `tests`

from tests.conformance.suites import Start, load_suites, run_suite


def main(arguments: list[str] | None = None) -> int:
    """Command line; exit status 0 when every case passed."""
    parser = argparse.ArgumentParser(description="Play the conformance cases against a server.")
    add = parser.add_argument
    add("--start", default=Start.template, help="command; {script} and {port} are filled in")
    add("--only", default="", help="regular expression on suite/case names")
    add("--skip", help="regular expression of suite/case names to leave out")
    add("--startup", type=float, default=Start.startup_s, help="seconds until RUNNING")
    add("--timeout", type=float, default=Start.timeout_s, help="seconds an exchange may take")
    add("--report", help="write the results here, as JSON")
    add("--verbose", action="store_true", help="also print passing cases")
    args = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that `finally` stops the server

    start = Start(args.start, args.startup, args.timeout)
    results = []
    for suite in load_suites(args.only, args.skip):
        for result in run_suite(suite, start):
            results.append(result)
            if result.error or args.verbose:
                print(result, flush=True)
    failed = sum(result.error is not None for result in results)
    if args.report:
        rows = [
            {"id": r.case, "ok": r.error is None, "error": r.error, "why": r.why} for r in results
        ]
        Path(args.report).write_text(json.dumps(rows, indent=1))
    print(f"{len(results) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
