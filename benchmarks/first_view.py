"""How long a browser needs from the address to the workspace page with its controls, in Chromium on this machine.

    python -m benchmarks.first_view

The model of `examples/workspace_tour`; each page in a browser context of its own, so nothing is cached. Needs Chromium
and the `dev` extra.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import time
from pathlib import Path

from benchmarks.rivals.work import free_port
from benchmarks.serving import served

MODEL = Path(__file__).resolve().parents[1] / "examples" / "workspace_tour"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pages", type=int, default=10)
    pages = parser.parse_args().pages
    chromium = shutil.which("chromium") or sys.exit("chromium is not installed")
    from playwright.sync_api import sync_playwright

    port = free_port()
    with served(MODEL, port, "--gpus", "none"), sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        taken_ms = []
        for _ in range(pages + 1):
            context = browser.new_context()
            page = context.new_page()
            began = time.perf_counter()
            page.goto(f"http://127.0.0.1:{port}/ui/")
            page.wait_for_selector("#view")
            taken_ms.append(1000 * (time.perf_counter() - began))
            context.close()
        browser.close()
    rest = taken_ms[1:]
    print(
        f"first page after the browser started: {taken_ms[0]:.0f} ms; then {statistics.median(rest):.0f} ms "
        f"[{min(rest):.0f}-{max(rest):.0f}], {pages} pages"
    )


if __name__ == "__main__":
    main()
