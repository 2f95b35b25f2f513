"""Blocks of figures that are looked at again and again, until Ctrl-C."""

import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

from rich.console import Group
from rich.live import Live

from export_pipeline.cli.output import Block, console, draw, say, show_blocks

Look = Callable[[float], Iterable[Block]]
"""One look, given the seconds since the first."""


def watch_blocks(look: Look, seconds: float, *, is_live: bool) -> None:
    """Look every `seconds`: on a terminal in place, and leaving it as it was; else line by line.

    Args:
        look: what to show.
        seconds: from the end of a look to the next.
        is_live: whether a terminal is to be drawn on.
    """
    with suppress(KeyboardInterrupt):
        if is_live and sys.stdout.isatty():
            _draw(look, seconds)
        else:
            _print(look, seconds)


def _draw(look: Look, seconds: float) -> None:
    began = time.monotonic()
    # The alternate screen, as of an editor: what was there before is there again at the end.
    with Live(console=console(), screen=True, auto_refresh=False) as live:
        while True:
            blocks = look(time.monotonic() - began)
            live.update(Group(*(draw(block) for block in blocks)), refresh=True)
            time.sleep(seconds)


def _print(look: Look, seconds: float) -> None:
    began = time.monotonic()
    while True:
        blocks = list(look(time.monotonic() - began))
        if blocks:
            show_blocks(blocks)
            say("")
        sys.stdout.flush()
        time.sleep(seconds)
