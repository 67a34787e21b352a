"""How names that begin with ``sim:`` are opened."""

from __future__ import annotations

import errno
import os
import weakref
from typing import TYPE_CHECKING

from alsamm import errors
from alsamm._c import check, ffi, lib
from alsamm.alsalib.openers import OPENERS, STAND_INS, Opened

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from alsamm.enums import Direction
    from alsamm.sim.card import Card

__all__ = ["CARDS", "PREFIX", "open_sim", "register", "stand_in"]

PREFIX = "sim"

# The cards that can be opened. A card that nobody holds any more is closed by its finalizer.
CARDS: weakref.WeakValueDictionary[str, Card] = weakref.WeakValueDictionary()

_OPENING = {errno.EBUSY: errors.DeviceBusyError, errno.ENODEV: errors.DeviceNotFoundError}


def open_sim(name: str, direction: Direction) -> Opened:
    """Open one direction of a software card as a snd_pcm_t of its own.

    Raises DeviceNotFoundError where there is no such card or it is unplugged, DeviceBusyError while somebody has it.
    """
    card = CARDS.get(name.partition(":")[2])
    if card is None:
        there = ", ".join(f"{PREFIX}:{key}" for key in sorted(CARDS)) or "none"
        raise errors.DeviceNotFoundError(errno.ENOENT, f"no such software card; there are {there}", "", name)
    return _plug(card, name, direction)


def stand_in(card: Card, names: Sequence[str]) -> Callable[[], object]:
    """Let ``card`` be opened by these names, whatever else they mean, until it is gone or what is given is called.

    Raises ArgumentError for a name that is no other's to take, ArgumentTypeError for what is no sequence of names.
    """
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):  # pyright: ignore -- as in open_pcm
        raise errors.ArgumentTypeError(f"stands_in_for {names!r}: a sequence of names, such as ['default', 'hw:0']")
    for name in names:
        if not name or "\0" in name or name.partition(":")[0] == PREFIX:
            raise errors.ArgumentError(f"stands_in_for {name!r}: no name of a PCM other than a software card")
        if name in STAND_INS:
            raise errors.ArgumentError(f"a software card stands in for {name!r} already")
    reference = weakref.ref(card)

    def open_it(name: str, direction: Direction) -> Opened:
        there = reference()
        if there is None:  # in the moment in which it goes
            raise errors.DeviceNotFoundError(errno.ENODEV, "its software card is gone", "", name)
        return _plug(there, name, direction)

    STAND_INS.update(dict.fromkeys(names, open_it))
    end = weakref.finalize(card, _forget, tuple(names))
    end.atexit = False  # atexit's functions may open it yet
    return end


def _forget(names: Sequence[str]) -> None:
    for name in names:
        del STAND_INS[name]


def _plug(card: Card, name: str, direction: Direction) -> Opened:
    handle, fd = ffi.new("void **"), ffi.new("int *")
    code = lib.sim_plug(card._handle, direction, name.encode(), lib.SND_PCM_NONBLOCK, handle, fd)  # noqa: SLF001
    check(code, "snd_pcm_open", name, _OPENING)
    return Opened(ffi.cast("snd_pcm_t *", handle[0]), fd[0], card)


def register() -> None:
    """Make ``sim:`` names openable. A forked child has none of its parent's cards, by no name."""
    OPENERS[PREFIX] = open_sim
    os.register_at_fork(after_in_child=CARDS.clear)
