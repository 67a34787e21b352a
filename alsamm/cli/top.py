"""``top``: every PCM that is open on this machine, live."""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import alsamm
from alsamm.cli.options import Commands, add_command, end_option, seconds
from alsamm.cli.procfs import Substream, substreams, why_none
from alsamm.cli.report import say
from alsamm.cli.screen import Screen
from alsamm.enums import Direction

if TYPE_CHECKING:
    import argparse

__all__ = ["Watch", "add", "run", "table"]

_EXAMPLES = """
top                                     until Ctrl-C
top --once                              the table, and the end of it
top --json --all | jq .                 for programs; also those that nobody has open
"""

# So narrow that 100 columns do.
_HEADINGS = ("PCM", "STATE", "FORMAT", "PERIOD/BUF", "FILL", "DELAY", "XRUNS", "OWNER")
_RIGHT = ("PERIOD/BUF", "DELAY", "XRUNS")
_WAYS = {Direction.PLAYBACK: "play", Direction.CAPTURE: "rec"}
_BAR = 5


def add(commands: Commands) -> None:
    """Declare it."""
    text = "show every PCM that is open on this machine, its owner, state, fill and xruns, live"
    command = add_command(commands, "top", run, text, _EXAMPLES)
    command.add_argument("--once", action="store_true", help="print the table once, as where there is no terminal")
    command.add_argument("--all", action="store_true", help="also those that nobody has open")
    command.add_argument("--every", type=seconds, default=0.5, metavar="S", help="between two looks (0.5)")
    end_option(command)
    command.add_argument("--json", action="store_true", help="once, for programs")
    command.add_argument("--proc", type=Path, default=Path("/proc"), metavar="DIR", help="read a copy of /proc")


def run(arguments: argparse.Namespace) -> int:
    """Show it; on a terminal again and again."""
    watch = Watch()
    if arguments.json:
        watch.look(_wanted(arguments))
        say(json.dumps({"pcms": [watch.as_json(each) for each in watch.seen]}, indent=2))
        return 0
    with Screen(file=sys.stdout, quiet=arguments.once, every=arguments.every) as screen:
        if not screen.seen or importlib.util.find_spec("rich") is None:
            if screen.seen:
                sys.stderr.write("alsamm: a live table needs rich: pip install 'alsamm[cli]'\n")
            watch.look(_wanted(arguments))
            say("\n".join(table(watch)))
            return 0
        end = None if arguments.seconds is None else time.monotonic() + arguments.seconds
        while end is None or time.monotonic() < end:
            watch.look(_wanted(arguments))
            screen.show(lambda: table(watch), now=True)
            time.sleep(arguments.every)
    return 0


def _wanted(arguments: argparse.Namespace) -> list[Substream]:
    found = substreams(arguments.proc)
    if not found:
        raise alsamm.AlsaError(why_none(arguments.proc))
    return found if arguments.all else [each for each in found if each.is_open]


class Watch:
    """What was seen of PCMs from one look to the next.

    Of xruns and starts those are counted that came between two looks while the owner was the same: the kernel counts
    none itself.

    Synchronization: none; one thread at a time.
    """

    def __init__(self) -> None:
        self.seen: list[Substream] = []
        self.xruns: dict[str, int] = {}
        self.starts: dict[str, int] = {}
        self._last: dict[str, Substream] = {}

    def look(self, found: Sequence[Substream]) -> None:
        """Take in what there is now."""
        self.seen = list(found)
        now = {_key(each): each for each in found}
        for key, each in now.items():
            last = self._last.get(key)
            if last is None or last.owner != each.owner:
                self.xruns[key] = int(each.state == "XRUN")
                self.starts[key] = 0
                continue
            self.xruns[key] += each.state == "XRUN" != last.state
            # A stop sets the trigger's time too (snd_pcm_trigger_tstamp): it was a start where it runs.
            self.starts[key] += each.state == "RUNNING" and each.trigger_time != last.trigger_time
        self._last = now

    def as_json(self, each: Substream) -> dict[str, object]:
        """All that is known of one."""
        key = _key(each)
        told = {**asdict(each), "direction": str(each.direction), "fill": each.fill}
        return {**told, "xruns_seen": self.xruns[key], "starts_seen": self.starts[key]}

    def row(self, each: Substream) -> tuple[str, ...]:
        """Cells in the order of the headings."""
        key = _key(each)
        name = f"{each.name} {_WAYS[each.direction]}"
        if not each.is_open:
            return (name, "closed", *[""] * (len(_HEADINGS) - 2))
        owner, starts = each.owner, self.starts[key]
        return (
            name,
            each.state,
            f"{_or_dash(each.format)} {_or_dash(each.channels)}x{_or_dash(each.rate)}",
            f"{_or_dash(each.period_size)}/{_or_dash(each.buffer_size)}",
            _filled(each),
            _or_dash(each.delay),
            f"{self.xruns[key]}{f', {starts} starts' if starts else ''}",
            "?" if owner is None else f"{owner.pid} {owner.program or '?'} {owner.user or '?'}",
        )


def _key(each: Substream) -> str:
    return f"{each.name} {each.direction}"


def _or_dash(value: object) -> str:
    return "-" if value is None else str(value)


def _filled(each: Substream) -> str:
    if each.fill is None or not each.buffer_size:
        return "-"
    marks = round(each.fill / each.buffer_size * _BAR)
    return f"{'#' * marks:.<{_BAR}}{each.fill / each.buffer_size:4.0%}"


def table(watch: Watch) -> list[str]:
    """A line that says it all in short, then headings and a line for each."""
    opened = [each for each in watch.seen if each.is_open]
    running = sum(each.state == "RUNNING" for each in opened)
    xruns = sum(watch.xruns[_key(each)] for each in opened)
    summary = f"{len(opened)} open, {running} running, xruns seen: {xruns}"
    if not watch.seen:
        return [summary]
    rows = [_HEADINGS, *(watch.row(each) for each in watch.seen)]
    widths = [max(len(row[n]) for row in rows) for n in range(len(_HEADINGS))]
    lines = [
        "  ".join(
            f"{cell:>{width}}" if heading in _RIGHT else f"{cell:<{width}}"
            for cell, width, heading in zip(row, widths, _HEADINGS, strict=True)
        )
        for row in rows
    ]
    return [summary, *(line.rstrip() for line in lines)]
