"""What is known of one command: whether its calls leave alone what calls share, and whether lanes are worth it."""

from __future__ import annotations

import dis
import inspect
import time
import types
from collections.abc import Callable, Iterator
from typing import Any

from runway_serve.batching.coalesce.case import Case
from runway_serve.batching.coalesce.lanes import Lane
from runway_serve.batching.coalesce.statistics import Kind, Statistics
from runway_serve.batching.coalesce.watch import Stamp, Watch

WATCHED = 3  # calls; the first may load and cache what later ones find, so it is not held against the command
CHEAP_STAMP_S = (
    50e-6  # above this the shared objects are looked at once for a group, not at every pause
)
GROUPS_A_WATCH = 64  # then what calls share is looked for anew
RECONSIDER_AFTER = 2000  # calls one by one, until lanes that did not pay are tried again


class Habits:
    """One command's record; it begins anew with every setup."""

    def __init__(
        self, command: str, function: Callable[..., Any], model: Any, statistics: Statistics
    ) -> None:
        self.command = command
        self.function = inspect.unwrap(function)
        self.reason: str | None = None
        self._model = model
        self._statistics = statistics
        self._watched = 0
        self._harm: tuple[Kind, str] | None = None
        self._cases: dict[int, Case] = {}
        self._groups = 0
        self._watch: Watch | None = None
        self._before: Stamp | None = None
        self._is_suspect = writes_globals(self.function)
        self._looks_always = True
        self._is_first_pause = True
        self._singles = 0
        if names_gradients(self.function):
            self.close("gradients", "it computes gradients")

    @property
    def is_watched(self) -> bool:
        """Whether the next call has to run alone, to be looked at."""
        return self.reason is None and self._watched < WATCHED

    @property
    def pays(self) -> bool:
        """Whether calls should run as lanes, as far as is known."""
        if self.reason is not None or self.is_watched:
            return False
        return any(case.pays for case in self._cases.values())

    def met(self, case: Case) -> None:
        """A call met a network."""
        self._cases[id(case)] = case

    def cases(self) -> list[Case]:
        """The networks and signatures that calls met."""
        return list(self._cases.values())

    def note_harm(self, kind: Kind, what: str) -> None:
        """A call does something that other calls could see."""
        self._harm = self._harm or (kind, what)

    def is_harmful(self) -> bool:
        """Whether something was seen that forbids lanes."""
        return self._harm is not None

    def begin_watching(self, namespaces: list[dict[str, Any]]) -> None:
        """The next call runs alone."""
        self._harm = None
        self._look(namespaces, is_new=True)

    def end_watching(self) -> None:
        """The call that ran alone ended."""
        self._watched += 1
        if self._watched == 1:
            self._harm = None
            return
        self._look_at_end()
        if self.reason is None and not self.is_watched and not self._cases:
            self.close("no_network", "it calls no network that could be shared")

    def begin_group(self, namespaces: list[dict[str, Any]]) -> None:
        """Several calls are about to run side by side."""
        self._look(namespaces, is_new=self._groups % GROUPS_A_WATCH == 0)
        self._groups += 1
        self._is_first_pause = True

    def end_group(self) -> None:
        """They ended."""
        self._look_at_end()

    def may_pause(self, lane: Lane) -> bool:
        """Whether others may run now; once a lane may not, it runs to its end by itself."""
        if lane.is_exclusive or self.is_watched:
            return False
        assert self._watch is not None and self._before is not None
        if self._looks_always or self._is_suspect or self._is_first_pause:
            self._is_first_pause = False
            change = self._change()
            if change is not None:
                lane.is_exclusive = True
                self._take(change)
                return False
        return not self._watch.holds_lock()

    def note_single(self) -> None:
        """A call ran by itself, as without lanes."""
        self._singles += 1
        if self._singles % RECONSIDER_AFTER == 0:
            for case in self._cases.values():
                case.reconsider()

    def _look(self, namespaces: list[dict[str, Any]], is_new: bool) -> None:
        if is_new or self._watch is None:
            self._watch = Watch(self.function, self._model, namespaces)
        began = time.perf_counter()
        self._before = self._watch.stamp()
        self._looks_always = time.perf_counter() - began < CHEAP_STAMP_S

    def _look_at_end(self) -> None:
        assert self._watch is not None and self._before is not None
        change = self._change()
        if change is not None:
            self._take(change)
        self._before = None
        if self._harm is not None:
            self.close(*self._harm)

    def _change(self) -> tuple[str, bool] | None:
        """What calls share that is not as it was; called within an author's call, so it must not raise."""
        assert self._watch is not None and self._before is not None
        try:
            return self._watch.change(self._before)
        except Exception as error:
            return f"what cannot be looked at ({error!r:.100})", False

    def _take(self, change: tuple[str, bool]) -> None:
        """A change of what calls share. Something new may be a cache; something that is exchanged is not."""
        path, is_new = change
        if not is_new:
            self.note_harm("shared_state", f"it changes {path}")
        elif self._watch is not None:
            self._groups = 0
            self._before = self._watch.stamp()

    def close(self, kind: Kind, reason: str) -> None:
        """From now on calls run one at a time."""
        self.reason = reason
        self._statistics.fell_back(f"command {self.command}", kind, reason, is_final=True)


def writes_globals(function: Callable[..., Any]) -> bool:
    """Whether the function, or one that it names, assigns a global variable."""
    return any(
        step.opname in ("STORE_GLOBAL", "DELETE_GLOBAL")
        for code in _reachable(function)
        for step in dis.get_instructions(code)
    )


def names_gradients(function: Callable[..., Any]) -> bool:
    """Whether the function, or one that it names, has gradients computed: results of one run share their graph."""
    return any(
        {"backward", "autograd", "GradientTape"} & set(code.co_names)
        for code in _reachable(function)
    )


def _reachable(function: Callable[..., Any]) -> Iterator[types.CodeType]:
    """Code of a function and of those that it names, as far as plain names lead."""
    seen: set[int] = set()
    waiting: list[Any] = [function]
    while waiting:
        current = waiting.pop()
        code = getattr(current, "__code__", None)
        if code is None or id(code) in seen:
            continue
        seen.add(id(code))
        codes = _codes(code)
        yield from codes
        named = {name for part in codes for name in part.co_names}
        known = [current.__globals__.get(name) for name in named]
        waiting += [value for value in known if isinstance(value, types.FunctionType)]


def _codes(code: types.CodeType) -> list[types.CodeType]:
    inner = [part for part in code.co_consts if isinstance(part, types.CodeType)]
    return [code, *(deeper for part in inner for deeper in _codes(part))]
