"""What was asked and what came of it: every request, every fault, and whether the one explains the other."""

from __future__ import annotations

import statistics
import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

# Which faults may make an answer other than the right one, and only for a request that was there at the same time.
WORKER_ENDS = frozenset(
    {"worker killed", "killed unseen", "worker stopped", "model hangs", "model leaks"}
)
FRONT_ENDS = frozenset({"front killed", "front and master killed"})
FRONT_AWAY = FRONT_ENDS | {"killed unseen"}
EXPLAINED_BY = {
    "worker lost (500)": WORKER_ENDS,
    "too late (504)": frozenset({"worker stopped", "worker paused", "model hangs"}),
    "not now (503)": WORKER_ENDS | FRONT_ENDS,
    "disk full (503)": frozenset({"disk full"}),
    "cut off": FRONT_ENDS,
}
RIGHT = "right (200)"
RAN_ONCE = frozenset({RIGHT})
NEVER_RAN = frozenset({"not now (503)", "disk full (503)"})
LEFT = "client left"


@dataclass(frozen=True)
class Entry:
    """One request: which, when, and what its client got."""

    run: str
    command: str
    began: float
    ended: float
    kind: str
    detail: str = ""


@dataclass
class Fault:
    """One fault, from its beginning until the server was whole again."""

    kind: str
    began: float
    ended: float = float("inf")

    def overlaps(self, entry: Entry) -> bool:
        return self.began <= entry.ended and entry.began <= self.ended


@dataclass
class Ledger:
    """All entries and faults of a run; entries may be added from any thread."""

    entries: list[Entry] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    health_s: list[tuple[float, float]] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, entry: Entry) -> None:
        with self._lock:
            self.entries.append(entry)

    def problems(self, runs: Iterable[str]) -> list[str]:
        """Everything that must not be; `runs` are the ids that the model noted, one a run."""
        noted = Counter(runs)
        found = [f"{run} ran {count} times" for run, count in noted.items() if count > 1]
        asked = Counter(entry.run for entry in self.entries)
        found += [f"{run} was entered {count} times" for run, count in asked.items() if count > 1]
        found += [f"{run} ran and was never asked for" for run in noted.keys() - asked.keys()]
        for entry in self.entries:
            is_run = noted[entry.run] > 0
            if entry.command != "setup" and entry.kind in RAN_ONCE and not is_run:
                found.append(f"answered, but never ran: {entry}")
            if entry.kind in NEVER_RAN and is_run:
                found.append(f"refused, but ran: {entry}")
            if entry.kind not in (RIGHT, LEFT) and not self._is_explained(entry):
                near = [
                    f"{f.kind} {f.began:.2f}-{f.ended:.2f}"
                    for f in self.faults
                    if f.overlaps(entry)
                ]
                found.append(f"no fault explains: {entry}; at its time: {near}")
        return found

    def _is_explained(self, entry: Entry) -> bool:
        causes = set(EXPLAINED_BY.get(entry.kind, ()))
        if entry.command == "setup" and entry.kind == "not now (503)":
            causes.add("setup storm")
        return any(fault.kind in causes and fault.overlaps(entry) for fault in self.faults)

    def _health(self) -> list[str]:
        """Times to an answer of the health route, apart where the front itself was away."""
        away = [fault for fault in self.faults if fault.kind in FRONT_AWAY]
        times: dict[str, list[float]] = {"": [], ", front away": []}
        for began, took in self.health_s:
            is_away = any(f.began <= began + took and began <= f.ended for f in away)
            times[", front away" if is_away else ""].append(took)
        return [
            f"health asked{where} {len(took)} times: median {statistics.median(took):.3f} s, worst {max(took):.3f} s"
            for where, took in times.items()
            if took
        ]

    def text(self) -> str:
        """The ledger as it is printed."""
        kinds = Counter(entry.kind for entry in self.entries)
        commands = Counter(entry.command for entry in self.entries)
        lines = [f"requests: {len(self.entries)}", f"{'answers':24}{'':>9}"]
        lines += [f"  {kind:22}{count:9}" for kind, count in kinds.most_common()]
        lines += ["commands"]
        lines += [f"  {command:22}{count:9}" for command, count in commands.most_common()]
        lines += [f"{'faults':24}{'count':>9}{'recovered in s: median':>25}{'worst':>8}"]
        times: dict[str, list[float]] = {}
        for fault in self.faults:
            times.setdefault(fault.kind, []).append(fault.ended - fault.began)
        for kind, took in sorted(times.items()):
            middle, worst = statistics.median(took), max(took)
            lines.append(f"  {kind:22}{len(took):9}{middle:25.2f}{worst:8.2f}")
        every = [took for many in times.values() for took in many]
        if every:
            middle, worst = statistics.median(every), max(every)
            lines.append(f"  {'all':22}{len(every):9}{middle:25.2f}{worst:8.2f}")
        lines += self._health()
        return "\n".join([*lines, *(f"not injected: {reason}" for reason in self.skipped)])
