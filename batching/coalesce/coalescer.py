"""The entrance: runs the calls of a command, side by side where that was found safe and worth it.

A command's first calls run one at a time, watched. If they change nothing that calls share, later ones that arrive
together become lanes.
"""

from __future__ import annotations

import logging
import random
import sys
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Any

import numpy as np

from runway_serve.batching.coalesce.adapter import Adapter, Part
from runway_serve.batching.coalesce.adapters import all_adapters
from runway_serve.batching.coalesce.audit import listen
from runway_serve.batching.coalesce.case import Case
from runway_serve.batching.coalesce.grouping import NetworkCall, UnstackableError, network_call
from runway_serve.batching.coalesce.habits import Habits
from runway_serve.batching.coalesce.lanes import Hub, Lane, current_lane
from runway_serve.batching.coalesce.patches import loaded, tell_before
from runway_serve.batching.coalesce.planner import plan
from runway_serve.batching.coalesce.statistics import Kind, Statistics
from runway_serve.batching.coalesce.watch import ScriptModules
from runway_serve.batching.coalesce.world import World

logger = logging.getLogger(__name__)

CASES_MAX = 1024  # networks and signatures that are remembered
LANES = 32  # calls side by side, unless the operator says otherwise
Job = Callable[[], Any]
Ended = Callable[[int, Any], None]


class Coalescer:
    """Belongs to the model's thread; one a process, since it patches the frameworks.

    Args:
        lanes: how many calls of a command run side by side at most; 1: never any.
        parts: what belongs to a call beside the script's own world.
    """

    def __init__(self, lanes: int = LANES, parts: Sequence[Part] = ()) -> None:
        self.statistics = Statistics()
        self._lanes = lanes
        self._world = World(parts)
        self._scripts = ScriptModules()
        self._heard: list[int] = []
        self._waiting: list[Adapter] = all_adapters()
        self._attached: list[tuple[Adapter, Any]] = []
        self._cases: OrderedDict[Hashable, Case] = OrderedDict()
        self._habits: dict[str, Habits] = {}
        self._running: Habits | None = None

    def wanted(self, command: str) -> int:
        """How many calls of this command should come at once, as far as is known; 1: no more than without lanes."""
        habits = self._habits.get(command)
        return self._lanes if habits is not None and habits.pays else 1

    def reason(self, command: str) -> str | None:
        """Why calls of this command run one at a time, None if they do not, or are not known yet."""
        habits = self._habits.get(command)
        return None if habits is None else habits.reason

    def forget(self) -> None:
        """A setup ran: the model is another one, and commands are watched anew."""
        self._habits.clear()
        self._cases.clear()

    def cases(self, command: str | None = None) -> list[Case]:
        """The networks and signatures met so far, by calls of one command or of all."""
        if command is None:
            return list(self._cases.values())
        habits = self._habits.get(command)
        return [] if habits is None else habits.cases()

    def run(
        self,
        command: str,
        function: Callable[..., Any],
        model: Any,
        jobs: Sequence[Job],
        ended: Ended,
        paused: Callable[[], None] = lambda: None,
    ) -> None:
        """Run every job, and tell `ended` the index and result of each as it ends.

        Args:
            command: name of the command they are calls of.
            function: the author's function.
            model: what the setup made.
            jobs: each runs one call; what it raises ends the whole run.
            ended: called in the same thread.
            paused: called now and then while some calls have ended and others go on.
        """
        habits = self._habits.get(command)
        if habits is None:
            habits = self._habits[command] = Habits(command, function, model, self.statistics)
        remaining = list(enumerate(jobs))
        while remaining and habits.is_watched and self._lanes > 1:
            index, job = remaining.pop(0)
            self._run_watched(habits, job, partial(_at, ended, index))
        if len(remaining) > 1 and habits.pays and self._lanes > 1:
            self._run_lanes(habits, remaining, ended, paused)
            return
        for index, job in remaining:
            habits.note_single()
            ended(index, job())

    def enter(self, lane: Lane) -> None:
        """Make the lane's world the current one."""
        self._world.enter(lane)

    def leave(self, lane: Lane) -> None:
        """Put back the common world."""
        self._world.leave(lane)

    def end(self) -> None:
        """No lane is left."""
        self._world.end()

    def acts(self, lane: Lane, kind: Kind, what: str) -> None:
        """The lane goes on alone, and its command is one for single calls."""
        lane.is_exclusive = True
        if self._running is not None:
            self._running.note_harm(kind, what)

    def seeds(self, generator: str) -> None:
        """The running lane gets a generator of its own."""
        self._world.will_seed(generator)

    def moves(self) -> None:
        """The working directory becomes a part of each lane's world."""
        self._world.follow_folder()

    def _run_watched(self, habits: Habits, job: Job, ended: Ended) -> None:
        if not self._is_begun(habits, habits.begin_watching):
            ended(0, job())
            return
        self._hub(ended).run([job], habits.is_harmful)
        habits.end_watching()

    def _run_lanes(
        self,
        habits: Habits,
        jobs: Sequence[tuple[int, Job]],
        ended: Ended,
        paused: Callable[[], None],
    ) -> None:
        if not self._is_begun(habits, habits.begin_group):
            for index, job in jobs:
                ended(index, job())
            return
        indices = [index for index, _ in jobs]
        hub = self._hub(lambda position, result: ended(indices[position], result), paused)
        hub.run([job for _, job in jobs], habits.is_harmful)
        habits.end_group()

    def _is_begun(self, habits: Habits, begin: Callable[[list[dict[str, Any]]], None]) -> bool:
        """Look at what the script shares; an object that cannot bear to be looked at ends it, not the worker."""
        try:
            begin(self._begin(habits))
        except Exception as error:
            logger.debug("looking at the script of %s failed", habits.command, exc_info=True)
            habits.close("unreadable", f"what its calls share cannot be looked at: {error!r:.200}")
            return False
        return True

    def _hub(self, ended: Ended, paused: Callable[[], None] = lambda: None) -> Hub:
        return Hub(self, lambda lanes: plan(lanes, self._case_of), ended, paused)

    def _begin(self, habits: Habits) -> list[dict[str, Any]]:
        """Attach to what the script imported, take the world as it is, and give the script's namespaces."""
        self._running = habits
        for adapter in [*self._waiting]:
            module = loaded(adapter.framework)
            if module is not None and hasattr(module, "__version__"):
                self._waiting.remove(adapter)
                self._attached.append((adapter, module))
                adapter.attach(module)
                self._world.add(adapter.parts())
                generator = adapter.generator()
                if generator is not None:
                    self._world.add_generator(adapter.framework, generator)
        for adapter, module in self._attached:
            adapter.attach(module)
        namespaces = self._scripts.namespaces()
        if habits.is_watched or self._heard != [id(namespace) for namespace in namespaces]:
            self._heard = [id(namespace) for namespace in namespaces]
            self._listen(namespaces)
        self._world.begin()
        return namespaces

    def _listen(self, namespaces: list[dict[str, Any]]) -> None:
        """Hear of what calls do to files and processes, and of those who seed."""
        listen(namespaces)
        seeding: list[tuple[str, Any, str]] = [
            *(("random", random, name) for name in ("seed", "setstate")),
            *(("numpy", np.random, name) for name in ("seed", "set_state")),
        ]
        for generator, module, name in seeding:
            tell_before(module, name, partial(_seeds, generator), namespaces)
        for adapter, _ in self._attached:
            told = _seeds if adapter.generator() is not None else _seeds_for_all
            for module, name in adapter.seed_functions():
                tell_before(module, name, partial(told, adapter.framework), namespaces)

    def meet(
        self,
        adapter: Adapter,
        network: Any,
        run: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """A lane met a network: pause, if its call may be run with others."""
        lane = current_lane()
        bound = partial(run, network)
        if lane is None:
            return bound(*args, **kwargs)
        call = self._joinable(adapter, lane, network, bound, args, kwargs)
        if call is None:
            self.statistics.ran_alone()
            return lane.alone(partial(bound, *args, **kwargs))
        return lane.pause(call)

    def _joinable(
        self,
        adapter: Adapter,
        lane: Lane,
        network: Any,
        bound: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> NetworkCall | None:
        """The call if it should wait for others, None if it should run at once."""
        habits = self._running
        assert habits is not None
        mode = adapter.mode()
        if mode is None or _runs_event_loop():
            return None
        try:
            call = network_call(adapter, network, bound, args, kwargs, mode)
        except UnstackableError as reason:
            name = adapter.name_of(network)
            self.statistics.fell_back(name, "arguments", str(reason), is_final=False)
            return None
        case = self._case_of(call, adapter)
        habits.met(case)
        if not case.is_open() or not habits.may_pause(lane):
            return None
        return call

    def _case_of(self, call: NetworkCall, adapter: Adapter | None = None) -> Case:
        case = self._cases.get(call.key)
        if case is None or not case.is_of(call.network):
            assert adapter is not None
            case = Case(adapter, call, adapter.name_of(call.network), self.statistics)
            self._cases[call.key] = case
            if len(self._cases) > CASES_MAX:
                self._cases.popitem(last=False)
        else:
            self._cases.move_to_end(call.key)
        return case


def _at(ended: Ended, index: int, _position: int, result: Any) -> None:
    ended(index, result)


def _seeds(generator: str, *_args: Any, **_kwargs: Any) -> None:
    lane = current_lane()
    if lane is not None:
        lane.host.seeds(generator)


def _seeds_for_all(framework: str, *_args: Any, **_kwargs: Any) -> None:
    lane = current_lane()
    if lane is not None:
        lane.host.acts(
            lane, "shared_state", f"it seeds {framework}, whose generators all calls share"
        )


def _runs_event_loop() -> bool:
    """Whether the call runs a loop of asyncio, of which a thread has at most one."""
    asyncio = sys.modules.get("asyncio.events")
    return asyncio is not None and asyncio._get_running_loop() is not None
