"""Whose is a listening TCP port of this machine: the root of the processes that hold its socket, from /proc."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator

from runway_serve.bench.process_tree import PROC, parents

LISTEN = "0A"
TABLES = ("net/tcp", "net/tcp6")


def listening_pid(port: int) -> int | None:
    """The holder of the port's socket that all other holders descend from.

    None if there is no such process: nobody listens, the holder is another user's, there is no /proc, or unrelated
    processes share the port.
    """
    holders = set(_holders(_inodes(port)))
    above = parents()
    roots = [pid for pid in holders if holders.isdisjoint(_ancestors(pid, above))]
    return roots[0] if len(roots) == 1 else None


def _inodes(port: int) -> set[str]:
    """Socket inodes that listen at the port, on any address."""
    found = set()
    for table in TABLES:
        with contextlib.suppress(OSError):
            for line in (PROC / table).read_text().splitlines()[1:]:
                fields = line.split()
                address, state, inode = fields[1], fields[3], fields[9]
                if state == LISTEN and int(address.rpartition(":")[2], 16) == port:
                    found.add(inode)
    return found


def _holders(inodes: set[str]) -> Iterator[int]:
    links = {f"socket:[{inode}]" for inode in inodes}
    for name in os.listdir(PROC) if links else []:
        if name.isdecimal() and not links.isdisjoint(_open_files(name)):
            yield int(name)


def _open_files(pid: str) -> Iterator[str]:
    folder = PROC / pid / "fd"
    with contextlib.suppress(OSError):  # another user's, or gone
        for name in os.listdir(folder):
            with contextlib.suppress(OSError):
                yield os.readlink(folder / name)


def _ancestors(pid: int, above: dict[int, int]) -> Iterable[int]:
    while (pid := above.get(pid, 0)) > 0:
        yield pid
