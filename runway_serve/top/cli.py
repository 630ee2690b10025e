"""`runway-serve top`: reads its command line and shows one frame after another."""

from __future__ import annotations

import argparse
import os
import sys
import time

from runway.access import tokens_variable
from runway_serve.bench.target import BenchError, Target
from runway_serve.flags import seconds
from runway_serve.top.frame import Frame
from runway_serve.top.scrape import TopError, scrape

NO_RICH = "needs rich: pip install 'runway-serve[top]'"


def build_parser() -> argparse.ArgumentParser:
    """The command line of `runway-serve top`."""
    parser = argparse.ArgumentParser(
        prog="runway-serve top",
        description="Show what a running server does: calls, times, batches, workers, cards, refusals. "
        "Rates and times are those since the frame before. Ctrl-C ends it.",
    )
    add = parser.add_argument
    port = os.environ.get("RW_PORT", "9000")
    add(
        "url",
        metavar="URL",
        nargs="?",
        default=f"http://127.0.0.1:{port}",
        help="the server (default http://127.0.0.1:9000, or the port in RW_PORT)",
    )
    add("--interval", type=seconds, default=2.0, metavar="S", help="between frames (default 2)")
    add(
        "--once",
        action="store_true",
        help="print one frame, of one interval, and end; a pipe gets plain text",
    )
    add("--token", metavar="TOKEN", help="sent to the server (default: the first of RW_TOKEN)")
    add("--timeout", type=seconds, default=5.0, metavar="S", help="longest wait for an answer")
    return parser


def main(argv: list[str]) -> int:
    """Exit code: 0, 1 if there is nothing to show, 130 after Ctrl-C of `--once`."""
    flags = build_parser().parse_args(argv)
    try:
        server = target(flags)
        if flags.once:
            print_once(server, flags.interval)
        else:
            show(server, flags.interval)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != "rich":
            raise
        print(f"runway-serve top {NO_RICH}", file=sys.stderr)
        return 1
    except (BenchError, TopError) as error:
        print(f"runway-serve top: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130 if flags.once else 0
    return 0


def target(flags: argparse.Namespace) -> Target:
    """The server that the flags name, with the token.

    Raises:
        BenchError: the URL names none.
        TopError: the token cannot be sent.
    """
    token = flags.token if flags.token is not None else next(iter(tokens_variable()), None)
    if token is not None and not (token.isascii() and token.isprintable()):
        raise TopError("--token: a token is made of printable ASCII characters")
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return Target.of(flags.url, "", b"", headers, flags.timeout)


def print_once(server: Target, interval_s: float) -> None:
    """One frame of what happened in `interval_s`.

    Raises:
        TopError: nothing to show.
    """
    from runway_serve.top import screen

    before = scrape(server)
    time.sleep(interval_s)
    frame = Frame.of(scrape(server), before)
    screen.console().print(screen.draw(frame, server.url))


def show(server: Target, interval_s: float) -> None:
    """Frames until Ctrl-C; a server that stops answering keeps its last frame, with a note.

    Raises:
        TopError: nothing to show at the start.
    """
    from runway_serve.top import screen

    latest = scrape(server)
    frame, note = Frame.of(latest), ""
    with screen.live(screen.console()) as view:
        while True:
            view.update(screen.draw(frame, server.url, note), refresh=True)
            time.sleep(interval_s)
            try:
                latest, before = scrape(server), latest
                frame, note = Frame.of(latest, before), ""
            except TopError as error:
                note = f"no news: {error}"
