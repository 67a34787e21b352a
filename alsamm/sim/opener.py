"""How names that begin with ``sim:`` are opened."""

from __future__ import annotations

import errno
import os
import weakref
from typing import TYPE_CHECKING

from alsamm import errors
from alsamm._c import check, ffi, lib
from alsamm.alsalib.openers import OPENERS, Opened

if TYPE_CHECKING:
    from alsamm.enums import Direction
    from alsamm.sim.card import Card

__all__ = ["CARDS", "PREFIX", "open_sim", "register"]

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
    handle, fd = ffi.new("void **"), ffi.new("int *")
    code = lib.sim_plug(card._handle, direction, name.encode(), lib.SND_PCM_NONBLOCK, handle, fd)  # noqa: SLF001
    check(code, "snd_pcm_open", name, _OPENING)
    return Opened(ffi.cast("snd_pcm_t *", handle[0]), fd[0], card)


def register() -> None:
    """Make ``sim:`` names openable. A forked child has no cards: they live in its parent."""
    OPENERS[PREFIX] = open_sim
    os.register_at_fork(after_in_child=CARDS.clear)
