"""How many cores there are, and how many threads each of several workers should compute with.

OpenBLAS, MKL, OpenMP (so torch) and TensorFlow start a thread for every core they see. Two workers that each do so wait
for each other's threads, and take many times as long as with half of the cores each.
"""

from __future__ import annotations

import math
import os
from contextlib import suppress
from pathlib import Path

# OpenBLAS, MKL and numexpr follow OpenMP's variable unless their own is set.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
CGROUPS = Path("/sys/fs/cgroup")
GROUPS = Path("/proc/self/cgroup")


def thread_limits(workers: int) -> dict[str, str]:
    """Variables that have each of so many workers compute with its share of the cores; none where it has them all."""
    cores = usable_cores()
    share = max(1, cores // workers)
    if share >= scheduled_cores():
        return {}
    return dict.fromkeys(THREAD_VARIABLES, str(share))


def usable_cores() -> int:
    """Cores that this process may use at a time, by its affinity and by the CPU limit of its container."""
    limit = cpu_limit(GROUPS.read_text(), CGROUPS) if GROUPS.exists() else math.inf
    return scheduled_cores() if limit == math.inf else min(scheduled_cores(), math.ceil(limit))


def cpu_limit(groups: str, root: Path) -> float:
    """Cores' worth of time that control groups, version 1 or 2, grant a process; infinite without a limit.

    Args:
        groups: what `/proc/<pid>/cgroup` says.
        root: where the groups are mounted.
    """
    limit = math.inf
    for line in groups.splitlines():
        _, controllers, name = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        base = root / "cpu" if controllers else root
        own = base / name.strip("/")
        for folder in (own, *own.parents):  # a group above may have the tighter limit
            if folder.is_relative_to(base):
                limit = min(limit, _quota(folder))
    return limit


def scheduled_cores() -> int:
    """Cores that this process may be scheduled on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _quota(folder: Path) -> float:
    with suppress(OSError, ValueError):
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            quota = (folder / "cpu.cfs_quota_us").read_text()
            period = (folder / "cpu.cfs_period_us").read_text()
        if int(quota) > 0:
            return int(quota) / int(period)
    return math.inf
