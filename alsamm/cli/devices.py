"""Which device a command uses: the one that was named, the first card's, or a card in software."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Literal, NamedTuple

import alsamm
from alsamm import sim
from alsamm.cli.report import say
from alsamm.enums import Direction
from alsamm.sim.opener import CARDS, PREFIX

__all__ = ["NOT_IN_REAL_TIME", "Clock", "Opened", "Reached", "default_name", "name_for", "opened", "opened_by_kernel",
           "reached"]  # fmt: skip

_SOFTWARE = "alsamm"
NOT_IN_REAL_TIME = ", as fast as it goes and not in real time"
Clock = Literal["auto", "realtime"]


class Reached(NamedTuple):
    """A device that can be opened by its name, and the software card behind it, if it is one's."""

    name: str
    card: sim.Card | None


class Opened(NamedTuple):
    """An open PCM, and the software card behind it, if it is one's."""

    pcm: alsamm.PCM
    card: sim.Card | None


def default_name(direction: Direction, cards: list[alsamm.Card] | None = None) -> str | None:
    """The first card's first PCM of that direction; None where there is none."""
    for card in alsamm.cards() if cards is None else cards:
        for pcm in card.pcms:
            if pcm.direction == direction:
                return card.pcm_name(pcm)
    return None


def name_for(name: str | None, direction: Direction, *, remark: str = "") -> str:
    """What to open: what the user named, the default device, or else the software card, told with a remark."""
    name = name or default_name(direction)
    if name is None:
        say(f"no sound card here for {direction}: using the software card{remark}")
        return f"{PREFIX}:"
    if name.partition(":")[0] == PREFIX and remark:
        say(f"the software card{remark}")
    return name


@contextmanager
def reached(name: str, clock: Clock = "auto") -> Generator[Reached]:
    """A device that is there while ``with`` lasts: where a software card is meant, it is made.

    One that exists in this process already is used as it is, whatever its clock.
    """
    prefix, _, wanted = name.partition(":")
    if prefix != PREFIX:
        yield Reached(name, None)
        return
    wanted = wanted or _SOFTWARE
    there = CARDS.get(wanted)
    card = sim.Card(wanted, clock=clock) if there is None else there
    try:
        yield Reached(card.device, card)
    finally:
        if there is None:
            card.close()


@contextmanager
def opened(name: str, direction: Direction, clock: Clock = "auto") -> Generator[Opened]:
    """Open a PCM, with the software card behind it where that is meant; close both at the end."""
    with reached(name, clock) as device, alsamm.PCM(device.name, direction) as pcm:
        yield Opened(pcm, device.card)


def opened_by_kernel(pcm: alsamm.PCM) -> bool:
    """Whether the PCM is the kernel's own (or the software card's), so that its memory can be mapped."""
    try:
        pcm.kernel_fd()
    except alsamm.UnsupportedError:
        return False
    return True
