"""``bench``: what the calls of a period cost on this machine."""

from __future__ import annotations

import gc
import json
import platform
from contextlib import ExitStack
from dataclasses import asdict
from typing import TYPE_CHECKING

from alsamm.cli.bench_subjects import CALLS, COPY, libraries, numpys, on_device, on_software_card
from alsamm.cli.options import Commands, add_command
from alsamm.cli.report import say, tell
from alsamm.cli.screen import Screen
from alsamm.cli.turns import EMPTY, Contestant, Timing, statement, timings
from alsamm.cli.versions import versions

if TYPE_CHECKING:
    import argparse

__all__ = ["add", "run"]

_EXAMPLES = """
bench                                   on cards in software: no sound card is needed, and none is touched
bench --device hw:0                     also on a real card's ring, which does not start
bench --quick --json
"""

_ROUNDS, _QUICK = 600, 60
_WARM = 5
_MAPPED, _SYNC_PTR = "mapped", "SYNC_PTR"


def add(commands: Commands) -> None:
    """Declare it."""
    text = "time what a period costs on this machine, beside a copy by numpy and other libraries that are installed"
    command = add_command(commands, "bench", run, text, _EXAMPLES)
    command.add_argument("--device", metavar="D", help="also a real card, such as hw:0; it stays silent")
    command.add_argument("--quick", action="store_true", help=f"{_QUICK} rounds instead of {_ROUNDS}")
    command.add_argument("--json", action="store_true", help="for programs")


def run(arguments: argparse.Namespace) -> int:
    """Time everything in turns, so that what disturbs the machine disturbs all alike; print the table."""
    columns = {_MAPPED: "mapped", _SYNC_PTR: "SYNC_PTR"}
    with ExitStack() as stack:
        contestants = [
            *on_software_card(stack, _MAPPED, refuse=False),
            *on_software_card(stack, _SYNC_PTR, refuse=True),
        ]
        if arguments.device is not None:
            more, transport = on_device(stack, arguments.device, arguments.device)
            contestants += more
            columns[arguments.device] = f"{arguments.device} ({transport})"
        beside = [*numpys(), *libraries(stack)]
        found = _timed([*contestants, *beside], _QUICK if arguments.quick else _ROUNDS)
    if arguments.json:
        say(json.dumps({**_machine(), "ns": {name: asdict(timing) for name, timing in found.items()}}, indent=2))
        return 0
    for key, value in _machine().items():
        tell(key, value)
    for line in _table(found, columns, [each.name for each in beside]):
        say(line)
    return 0


def _timed(contestants: list[Contestant], rounds: int) -> dict[str, Timing]:
    everybody = [*contestants, statement(EMPTY, "pass")]
    turns: dict[str, list[float]] = {each.name: [] for each in everybody}
    gc.collect()
    enabled = gc.isenabled()
    gc.disable()
    try:
        with Screen() as screen:
            screen.show(lambda: ["finding out how many calls make a turn"])
            calls = {each.name: each.calibrated() for each in everybody}
            for number in range(_WARM + rounds):
                screen.show(lambda: [f"round {number - _WARM + 1} of {rounds}"])  # noqa: B023 -- shown at once
                for each in everybody:
                    turns[each.name].append(each.turn(calls[each.name]))
    finally:
        if enabled:
            gc.enable()
    for times in turns.values():
        del times[:_WARM]
    return timings(everybody, turns, calls)


def _machine() -> dict[str, str]:
    return {"processor": _processor(), "versions": ", ".join(f"{of} {version}" for of, version in versions().items())}


def _processor() -> str:
    """As /proc/cpuinfo names it, where it does; else the architecture."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:  # noqa: PTH123 -- a line of it
            names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.machine()


def _table(found: dict[str, Timing], columns: dict[str, str], beside: list[str]) -> list[str]:
    """Nanoseconds a call, and how many times a copy by numpy that is."""
    copy = found[COPY].ns

    def cell(name: str) -> str:
        timing = found.get(name)
        return "-" if timing is None else f"{timing.ns:.0f} ns {timing.ns / copy:5.2f}x"

    rows = [("", *columns.values())]
    rows += [(call, *(cell(f"{call} | {column}") for column in columns)) for call in CALLS]
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    widths[0] = max(widths[0], *map(len, beside))
    lines = ["  ".join(_padded(row, widths)) for row in rows]
    lines += ["", "beside it", *("  ".join(_padded((name, cell(name)), widths)) for name in beside)]
    return [
        *lines,
        "",
        "Medians; x: times what numpy's copy takes. The software card's SYNC_PTR is a call in this process, a real",
        "card's one into the kernel: see --device.",
    ]


def _padded(row: tuple[str, ...], widths: list[int]) -> list[str]:
    first, *others = row
    return [f"{first:<{widths[0]}}", *(f"{cell:>{width}}" for cell, width in zip(others, widths[1:], strict=False))]
