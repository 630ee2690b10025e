"""Looks the installed packages up in PyPI's list of known vulnerabilities.

Where that service is out of reach, or a mirror without it answers in its place, nothing is known: that is said, and
passes.
"""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request

SERVICE = "https://pypi.org/pypi/pip/json"
REACH_S = 5.0
AUDIT_S = 120.0


def main() -> int:
    """1 if a package has a known vulnerability, else 0."""
    try:
        urllib.request.urlopen(SERVICE, timeout=REACH_S).close()
    except OSError as error:
        print(f"pip-audit: SKIPPED, {SERVICE} is out of reach ({error})")
        return 0
    flags = ["--local", "--skip-editable", "--progress-spinner", "off", "--format", "json"]
    command = [sys.executable, "-m", "pip_audit", *flags]
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=AUDIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        print(f"pip-audit: SKIPPED, the service did not answer within {AUDIT_S:g} s")
        return 0
    try:
        packages = json.loads(ended.stdout)["dependencies"]
    except (ValueError, KeyError):
        print(f"pip-audit failed:\n{ended.stderr}", file=sys.stderr)
        return 1
    return report(packages)


def report(packages: list[dict[str, object]]) -> int:
    """Exit code of what pip-audit found, which is printed."""
    known = [package for package in packages if "skip_reason" not in package]
    if not known:
        print(f"pip-audit: SKIPPED, nothing is known there of any of {len(packages)} packages")
        return 0
    bad = [package for package in known if package["vulns"]]
    for package in bad:
        print(f"{package['name']} {package['version']}: {json.dumps(package['vulns'], indent=2)}")
    print(f"pip-audit: {len(bad)} of {len(known)} packages have known vulnerabilities;", end=" ")
    print(f"{len(packages) - len(known)} could not be looked up")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
