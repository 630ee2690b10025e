"""The world of a lane: what a call may set for itself, and must find so when it goes on.

Context variables come with the greenlet. Here are process-wide settings that `with` blocks change for a while, and the
random generators of lanes that seeded them.
"""

from __future__ import annotations

import os
import random
import sys
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from runway_serve.batching.coalesce.adapter import Generator, Part
from runway_serve.batching.coalesce.lanes import Lane, current_lane

# What `warnings.catch_warnings` puts back; the last one is private, and not in every Python.
WARNING_SETTINGS = tuple(
    name for name in ("filters", "showwarning", "_showwarnmsg_impl") if hasattr(warnings, name)
)


class World:
    """Swaps what differs; a lane that set nothing costs some reads.

    What a call set and left so when it ended holds for later calls, as it always did. Generators are the exception:
    the stream of those who never seed goes on as if nobody had.
    """

    def __init__(self, parts: Sequence[Part] = ()) -> None:
        self._parts: list[Part] = [*_common_parts(), *parts]
        self._common: dict[str, Any] = {}
        self._generators: dict[str, Generator] = {
            "random": (random.getstate, random.setstate),
            "numpy": (np.random.get_state, np.random.set_state),
        }
        self._stream: dict[
            str, Any
        ] = {}  # of those who never seed, while another state is in place
        self._owners: dict[str, Lane] = {}  # whose state is in place, if it is not that stream

    def add(self, parts: Sequence[Part]) -> None:
        """Keep apart what a framework adds."""
        self._parts += parts

    def add_generator(self, name: str, generator: Generator) -> None:
        """Keep a framework's generator apart once a lane seeded it."""
        self._generators[name] = generator

    def begin(self) -> None:
        """What is set now is common to all lanes."""
        self._common = {name: read() for name, read, _ in self._parts}

    def follow_folder(self) -> None:
        """The working directory is about to change for the first time."""
        if "folder" not in self._common:
            self._common["folder"] = os.getcwd()
            self._parts.append(("folder", os.getcwd, os.chdir))

    def will_seed(self, name: str) -> None:
        """The running call is about to set the state of a generator: from now on it has one of its own."""
        lane = current_lane()
        if lane is not None and name not in lane.own_generators:
            self._put_away(name)
            lane.own_generators[name] = None
            self._owners[name] = lane

    def end(self) -> None:
        """No lane is left: the stream of those who never seed goes on."""
        for name in list(self._owners):
            self._put_away(name)
            self._generators[name][1](self._stream.pop(name))

    def enter(self, lane: Lane) -> None:
        """Make the lane's world the current one."""
        if lane.world:
            for name, _, write in self._parts:
                if name in lane.world:
                    write(lane.world[name])
        if not self._owners and not lane.own_generators:
            return
        for name in [*self._owners, *lane.own_generators]:
            if self._owners.get(name) is lane or (
                name not in self._owners and name not in lane.own_generators
            ):
                continue
            self._put_away(name)
            write = self._generators[name][1]
            if name in lane.own_generators:
                write(lane.own_generators[name])
                self._owners[name] = lane
            else:
                write(self._stream.pop(name))

    def leave(self, lane: Lane) -> None:
        """Take the lane's world away, and put back the common one."""
        lane.world = {}
        for name, read, write in self._parts:
            value, common = read(), self._common[name]
            if value is common or value == common:
                continue
            if lane.dead:
                self._common[name] = value
            else:
                lane.world[name] = value
                write(common)

    def _put_away(self, name: str) -> None:
        """Keep the state that is in place for whoever it belongs to; that of a call that ended is of no use."""
        owner = self._owners.pop(name, None)
        read = self._generators[name][0]
        if owner is None:
            self._stream[name] = read()
        elif not owner.dead:
            owner.own_generators[name] = read()


def _common_parts() -> list[Part]:
    parts: list[Part] = [
        ("stdout", lambda: sys.stdout, lambda stream: setattr(sys, "stdout", stream)),
        ("stderr", lambda: sys.stderr, lambda stream: setattr(sys, "stderr", stream)),
        ("warnings", _warnings, _set_warnings),
    ]
    if int(np.__version__.split(".")[0]) < 2:  # later ones keep it in a context variable
        parts.append(("numpy errors", np.geterr, _set_numpy_errors))
    return parts


def _set_numpy_errors(kept: Any) -> None:
    np.seterr(**kept)


def _warnings() -> tuple[Any, ...]:
    return tuple(getattr(warnings, name) for name in WARNING_SETTINGS)


def _set_warnings(kept: tuple[Any, ...]) -> None:
    for name, value in zip(WARNING_SETTINGS, kept, strict=True):
        setattr(warnings, name, value)
    mutated = getattr(warnings, "_filters_mutated", None)
    if mutated is not None:
        mutated()
