"""Which cards and PCMs there are, listed afresh at every call: cards come and go."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from alsamm._c import ffi, lib, string
from alsamm.alsalib.status import PcmInfo
from alsamm.enums import Direction

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from alsamm._c._native import CData

__all__ = ["Card", "cards", "pcms"]


@dataclass(frozen=True)
class Card:
    """A sound card (snd_ctl_card_info).

    Synchronization: immutable.
    """

    index: int
    id: str
    driver: str
    name: str
    longname: str
    mixername: str
    pcms: tuple[PcmInfo, ...]
    """Its PCMs, playback before capture; ``subdevices_avail`` is as it was when listed."""

    def pcm_name(self, pcm: PcmInfo) -> str:
        """The name to open one of its PCMs by: the card's id, since numbers change when cards come and go."""
        return f"hw:CARD={self.id},DEV={pcm.device}"


def cards() -> list[Card]:
    """The sound cards of this machine, by number. None: an empty list.

    A card that vanishes, or that this user may not open, is left out (snd_card_next, snd_ctl_open).
    """
    return [card for index in _card_indices() for card in _card(index)]


def pcms(direction: Direction | str | None = None) -> dict[str, str]:
    """What PCMs can be opened: name and description, as ``aplay -L`` has them.

    First the kernel's own, as ``hw:CARD=id,DEV=n``, then what alsa-lib's configuration offers (snd_device_name_hint).
    ``direction``: only those that can do it. Raises ArgumentError for a direction that is none.
    """
    wanted = None if direction is None else Direction.of(direction)
    found: dict[str, str] = {}
    for card in cards():
        for pcm in card.pcms:
            if wanted in (None, pcm.direction):
                found.setdefault(card.pcm_name(pcm), f"{card.name}, {pcm.name}")
    for name, description, only in _hints():
        if only in (None, wanted) or wanted is None:
            found.setdefault(name, description)
    return found


def _card_indices() -> Iterator[int]:
    index = ffi.new("int *", -1)
    while lib.snd_card_next(index) >= 0 and index[0] >= 0:
        yield index[0]


@contextmanager
def _control(index: int) -> Generator[CData | None]:
    out = ffi.new("snd_ctl_t **")
    if lib.snd_ctl_open(out, f"hw:{index}".encode(), lib.SND_PCM_NONBLOCK) < 0:
        yield None
        return
    try:
        yield out[0]
    finally:
        lib.snd_ctl_close(out[0])


def _card(index: int) -> Iterator[Card]:
    out = ffi.new("snd_ctl_card_info_t **")
    if lib.snd_ctl_card_info_malloc(out) < 0:
        raise MemoryError
    info = ffi.gc(out[0], lib.snd_ctl_card_info_free)
    with _control(index) as control:
        if control is None or lib.snd_ctl_card_info(control, info) < 0:
            return
        yield Card(
            index=index,
            id=string(lib.snd_ctl_card_info_get_id(info)),
            driver=string(lib.snd_ctl_card_info_get_driver(info)),
            name=string(lib.snd_ctl_card_info_get_name(info)),
            longname=string(lib.snd_ctl_card_info_get_longname(info)),
            mixername=string(lib.snd_ctl_card_info_get_mixername(info)),
            pcms=tuple(_card_pcms(control)),
        )


def _card_pcms(control: CData) -> Iterator[PcmInfo]:
    device = ffi.new("int *", -1)
    while lib.snd_ctl_pcm_next_device(control, device) >= 0 and device[0] >= 0:
        for direction in Direction:
            info = PcmInfo.blank()
            lib.snd_pcm_info_set_device(info, device[0])
            lib.snd_pcm_info_set_subdevice(info, 0)
            lib.snd_pcm_info_set_stream(info, direction)
            if lib.snd_ctl_pcm_info(control, info) >= 0:  # ENOENT: the device has no such direction
                yield PcmInfo.of(info)


def _hints() -> Iterator[tuple[str, str, Direction | None]]:
    """Name, description, and the only direction it has, if it has but one."""
    out = ffi.new("void ***")
    if lib.snd_device_name_hint(-1, b"pcm", out) < 0:
        return
    try:
        at = 0
        while out[0][at] != ffi.NULL:
            hint = out[0][at]
            at += 1
            name, description, only = (_hint(hint, key) for key in (b"NAME", b"DESC", b"IOID"))
            if name:
                direction = {"Input": Direction.CAPTURE, "Output": Direction.PLAYBACK}.get(only)
                yield name, ", ".join(description.splitlines()), direction
    finally:
        lib.snd_device_name_free_hint(out[0])


def _hint(hint: CData, key: bytes) -> str:
    text = lib.snd_device_name_get_hint(hint, key)
    try:
        return string(text)
    finally:
        lib.free(text)
