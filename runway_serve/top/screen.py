"""Draws a `Frame` with rich, which only this module imports: the extra `top`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from runway_serve.top.frame import Card, Command, Frame, Latency, Worker

PIPE_WIDTH = 120  # columns of what is no terminal, unless COLUMNS says otherwise
GIB = 1 << 30
NOTHING = "-"
STATES = {"ready": "green", "starting": "yellow", "loaded": "yellow"}
GOOD_CODE = "200"
FINE_BELOW_MS = 10


def console() -> Console:
    """Standard output: colours in a terminal, plain text in a pipe."""
    if sys.stdout.isatty():
        return Console(highlight=False)
    width = os.environ.get("COLUMNS", "")
    return Console(highlight=False, width=int(width) if width.isdecimal() else PIPE_WIDTH)


def live(on: Console) -> Live:
    """A view that fills the terminal, and gives it back as it was."""
    return Live(console=on, screen=True, auto_refresh=False, vertical_overflow="ellipsis")


def draw(frame: Frame, url: str, note: str = "") -> RenderableType:
    """The whole view; `note` is a line about the server that does not answer."""
    parts: list[RenderableType] = [_head(frame, url)]
    if note:
        parts.append(Text(note, style="bold red"))
    parts += [_commands(frame.commands), _latencies(frame.commands), _workers(frame.workers)]
    if frame.cards:
        parts.append(_cards(frame.cards))
    parts.append(_refusals(frame.refusals))
    return Group(*parts)


def _head(frame: Frame, url: str) -> Text:
    head = Text(f"{url}  ", style="bold")
    share, memory = frame.front_cpu_share, frame.front_memory_bytes
    window = "since its start" if frame.seconds is None else f"last {frame.seconds:.1f} s"
    words = [
        f"runway-serve {frame.version}",
        window,
        f"front {'' if share is None else f'{share:.0%} CPU, '}{_gib(memory)}",
    ]
    return head.append(" | ".join(words), style="not bold")


def _table(title: str, *columns: str) -> Table:
    """A table whose first column is text and the others numbers."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, expand=False)
    table.add_column(columns[0], overflow="fold")
    for column in columns[1:]:
        table.add_column(column, justify="right", overflow="fold")
    return table


def _commands(commands: tuple[Command, ...]) -> Table:
    table = _table("Calls", "command", "answers/s", "answers", "waiting", "running", "batch")
    for command in commands:
        table.add_row(
            Text(command.name),
            _codes({code: _rate(rate) for code, rate in command.rates.items()}),
            _codes({code: str(count) for code, count in command.answers.items()}),
            str(command.waiting),
            str(command.running),
            NOTHING if command.batch_size is None else f"{command.batch_size:.1f}",
        )
    return table


def _codes(values: Mapping[str, str]) -> Text:
    text = Text()
    for code, value in sorted(values.items()):
        style = "" if code == GOOD_CODE else "red"
        text.append(f"{' ' if text else ''}{code}:{value}", style=style)
    return text if values else Text(NOTHING)


def _latencies(commands: tuple[Command, ...]) -> Table:
    table = _table("Times in ms: p50 / p95 / p99", "command", "wait", "run", "encode")
    for command in commands:
        times = (command.wait, command.run, command.encode)
        table.add_row(Text(command.name), *(_times(latency) for latency in times))
    return table


def _times(latency: Latency) -> str:
    if latency.p50_s is None:
        return NOTHING
    return " / ".join(_time(s) for s in (latency.p50_s, latency.p95_s, latency.p99_s))


def _workers(workers: tuple[Worker, ...]) -> Table:
    table = Table(title="Workers", title_justify="left", box=None, pad_edge=False)
    for column in ("worker", "device", "state", "restarts"):
        table.add_column(column, overflow="fold")
    for worker in workers:
        restarts = ", ".join(f"{count} x {why}" for why, count in sorted(worker.restarts.items()))
        state = Text(worker.state, style=STATES.get(worker.state, "red"))
        table.add_row(worker.name, worker.device, state, restarts or "0")
    return table


def _cards(cards: tuple[Card, ...]) -> Table:
    table = _table("Cards", "UUID", "memory", "of", "busy", "temperature")
    for card in cards:
        busy, heat = card.utilization, card.temperature_celsius
        table.add_row(
            card.uuid,
            _gib(card.memory_used_bytes),
            _gib(card.memory_total_bytes),
            NOTHING if busy is None else f"{busy:.0%}",
            NOTHING if heat is None else f"{heat:.0f} C",
        )
    return table


def _refusals(refusals: Mapping[str, int]) -> Text:
    text = Text("Refused: ", style="italic")
    said = ", ".join(_counts(refusals)) or "nothing"
    return text.append(said, style="not italic red" if refusals else "not italic")


def _counts(counts: Mapping[str, int]) -> Iterator[str]:
    for reason, count in sorted(counts.items()):
        yield f"{reason} {count}"


def _rate(rate: float | None) -> str:
    return NOTHING if rate is None else f"{rate:.1f}"


def _time(seconds: float | None) -> str:
    if seconds is None:
        return NOTHING
    milliseconds = seconds * 1000
    return f"{milliseconds:.0f}" if milliseconds >= FINE_BELOW_MS else f"{milliseconds:.2f}"


def _gib(count: float | None) -> str:
    return NOTHING if count is None else f"{count / GIB:.2f} GiB"
