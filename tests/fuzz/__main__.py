"""`python -m tests.fuzz body --seconds 600`: fuzzes one target with atheris, which has to be installed for it.

New inputs of interest go to a folder of their own; an input that crashes is written there too, and its trace printed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import atheris

CORPUS = Path(__file__).parent / "corpus"
LONGEST_INPUT = 4096


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("target", choices=("body", "to_worker", "to_front", "stream"))
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--found", type=Path, help="folder for what is found (default: a new one)")
    options = parser.parse_args()
    found = options.found or Path(tempfile.mkdtemp(prefix="runway-fuzz-"))
    found.mkdir(parents=True, exist_ok=True)
    with atheris.instrument_imports(include=["runway"]):
        from tests.fuzz.targets import TARGETS
    print(f"found inputs go to {found}")
    limits = [f"-max_total_time={options.seconds}", f"-max_len={LONGEST_INPUT}", "-timeout=10"]
    places = [str(found), str(CORPUS / options.target), f"-artifact_prefix={found}/crash-"]
    atheris.Setup([sys.argv[0], *limits, "-rss_limit_mb=4096", *places], TARGETS[options.target])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
