"""``list``: the cards, their PCMs, and what each can do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import alsamm
from alsamm.cli.devices import default_name
from alsamm.cli.options import Commands, add_command
from alsamm.cli.report import say
from alsamm.cli.space import short, space_of, who_holds
from alsamm.enums import Direction
from alsamm.sim.opener import CARDS

if TYPE_CHECKING:
    import argparse

__all__ = ["add", "run"]

_EXAMPLES = """
list             the cards and what they can do
list --all       with the names that alsa-lib's configuration offers: default, plughw:…
list --json      for programs
"""


def add(commands: Commands) -> None:
    """Declare it."""
    text = "show the sound cards, the names of their PCMs and what these can do"
    command = add_command(commands, "list", run, text, _EXAMPLES)
    command.add_argument("--all", action="store_true", help="with alsa-lib's own names, such as default and plughw")
    command.add_argument("--json", action="store_true", help="for programs")


def run(arguments: argparse.Namespace) -> int:
    """Print them, for people or as JSON; afresh at each call."""
    found = _found()
    if arguments.all:
        kernel = {pcm["name"] for card in found["cards"] for pcm in card["pcms"]}
        found["named"] = {name: text for name, text in alsamm.pcms().items() if name not in kernel}
    if arguments.json:
        say(json.dumps(found, indent=2))
        return 0
    if not found["cards"]:
        say('no sound card here; commands without --device use the software card, "sim:"')
    for card in found["cards"]:
        _say_card(f"card {card['index']}: {card['name']} ({card['driver']})", card["pcms"])
    for card in found["software_cards"]:
        _say_card("software card of this process", card["pcms"])
    if arguments.all:
        say("names of alsa-lib's configuration:")
        for name, text in found["named"].items():
            say(f"  {name}  {text}" if text else f"  {name}")
    return 0


def _found() -> dict[str, Any]:
    cards = alsamm.cards()
    defaults = {way: default_name(way, cards) for way in Direction}
    return {
        "cards": [
            {
                "index": card.index,
                "id": card.id,
                "name": card.name,
                "longname": card.longname,
                "driver": card.driver,
                "pcms": [_pcm(card, pcm, defaults) for pcm in card.pcms],
            }
            for card in cards
        ],
        "software_cards": [
            {"name": card.name, "pcms": [_able({"name": card.device, "direction": str(way)}, way) for way in Direction]}
            for card in list(CARDS.values())
        ],
    }


def _pcm(card: alsamm.Card, pcm: alsamm.PcmInfo, defaults: dict[Direction, str | None]) -> dict[str, Any]:
    name = card.pcm_name(pcm)
    about: dict[str, Any] = {
        "name": name,
        "direction": str(pcm.direction),
        "description": pcm.name or pcm.id,
        "subdevices": pcm.subdevices_count,
        "free": pcm.subdevices_avail,
        "default": defaults[pcm.direction] == name,
    }
    if pcm.subdevices_avail < pcm.subdevices_count:
        about["holders"] = who_holds(name, pcm.direction)
    return _able(about, pcm.direction) if pcm.subdevices_avail else about


def _able(about: dict[str, Any], direction: Direction) -> dict[str, Any]:
    """With what it can do. Opening waits for nobody, and sets nothing."""
    try:
        with alsamm.PCM(about["name"], direction, blocking=False) as pcm:
            return {**about, "able": space_of(pcm)}
    except alsamm.DeviceBusyError:
        return {**about, "free": 0, "holders": who_holds(about["name"], direction)}
    except alsamm.AlsaError as error:
        return {**about, "error": str(error)}


def _say_card(title: str, pcms: list[dict[str, Any]]) -> None:
    say(title)
    width = max((len(pcm["name"]) for pcm in pcms), default=0)
    for pcm in pcms:
        words = [pcm["description"]] if "description" in pcm else []
        if "subdevices" in pcm:
            words.append(f"{pcm['free']} of {pcm['subdevices']} free")
        mark = f"  <- default for {pcm['direction']}" if pcm.get("default") else ""
        say(f"  {pcm['name']:<{width}}  {pcm['direction']:<8}  {', '.join(words)}{mark}".rstrip())
        if "able" in pcm:
            say(f"      {short(pcm['able'])}")
        if pcm.get("free", 1) == 0 or "holders" in pcm:
            who = [f"process {holder['pid']} ({holder['program']})" for holder in pcm.get("holders", ())]
            say(f"      in use{' by ' + ', '.join(who) if who else ''}")
        if "error" in pcm:
            say(f"      cannot be opened: {pcm['error']}")
    if not pcms:
        say("  no PCM")
