"""``list``: the cards and their PCMs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import alsamm
from alsamm.cli.devices import default_name
from alsamm.cli.options import Commands, add_command
from alsamm.cli.report import say
from alsamm.enums import Direction

if TYPE_CHECKING:
    import argparse

__all__ = ["add", "run"]

_EXAMPLES = """
list           for people
list --json    for programs
"""


def add(commands: Commands) -> None:
    """Declare it."""
    command = add_command(commands, "list", run, "show the sound cards and the names of their PCMs", _EXAMPLES)
    command.add_argument("--json", action="store_true", help="for programs")


def run(arguments: argparse.Namespace) -> int:
    """Print them, for people or as JSON; afresh at each call."""
    cards = alsamm.cards()
    defaults = {way: default_name(way, cards) for way in Direction}
    if arguments.json:
        say(json.dumps({"cards": [_as_json(card, defaults) for card in cards]}, indent=2))
        return 0
    if not cards:
        say('no sound card here; commands without --device use the software card, "sim:"')
    for card in cards:
        say(f"card {card.index}: {card.name} ({card.driver})")
        width = max((len(card.pcm_name(pcm)) for pcm in card.pcms), default=0)
        for pcm in card.pcms:
            name = card.pcm_name(pcm)
            free = f"{pcm.subdevices_avail} of {pcm.subdevices_count} free"
            mark = f"  <- default for {pcm.direction}" if defaults[pcm.direction] == name else ""
            say(f"  {name:<{width}}  {pcm.direction!s:<8}  {pcm.name or pcm.id}, {free}{mark}")
        if not card.pcms:
            say("  no PCM")
    return 0


def _as_json(card: alsamm.Card, defaults: dict[Direction, str | None]) -> dict[str, object]:
    return {
        "index": card.index,
        "id": card.id,
        "name": card.name,
        "longname": card.longname,
        "driver": card.driver,
        "pcms": [
            {
                "name": card.pcm_name(pcm),
                "direction": str(pcm.direction),
                "description": pcm.name or pcm.id,
                "subdevices": pcm.subdevices_count,
                "free": pcm.subdevices_avail,
                "default": defaults[pcm.direction] == card.pcm_name(pcm),
            }
            for pcm in card.pcms
        ],
    }
