"""The devices that the contract is held against: software cards here, real drivers in the lab."""

from __future__ import annotations

import json
import os
import platform
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import alsamm
from alsamm import sim
from alsamm.enums import Access, Direction, Format, Transport

RATE = 48_000
PERIOD = 1024
BUFFER = 16 * PERIOD
# What each software card stands for; the pointers of "sim-wrap" wrap every few turns of the ring.
SOFTWARE: dict[str, dict[str, Any]] = {
    "sim": {},
    "sim-usb": {"refuse_control": True},
    "sim-status": {"refuse_status": True},
    "sim-arm": {"refuse_status": True, "refuse_control": True},
    "sim-nonint": {"accesses": [Access.MMAP_NONINTERLEAVED, Access.RW_NONINTERLEAVED]},
    "sim-hdsp": {"accesses": [Access.MMAP_NONINTERLEAVED], "separate_channels": True},
    "sim-wrap": {"boundary": 4 * BUFFER},
}
# Those of the streams' cases keep real time; "sim-rw" cannot be mapped, so that the kernel copies.
STREAMS: dict[str, dict[str, Any]] = {
    "sim": {},
    "sim-arm": SOFTWARE["sim-arm"],
    "sim-rw": {"accesses": [Access.RW_INTERLEAVED]},
}
PLUG = "plug-"
"""Before a real device's name: the same through alsa-lib's plughw."""
PLUGGED = ("aloop", "usb")  # alsa-lib's road is one for all of them; these two have the oddest cards under it


@dataclass
class Target:
    """One device: how to open it, how to let time pass on it, what it must be able to do."""

    name: str
    playback: str | None
    capture: str | None
    transports: tuple[Transport, Transport]
    card: sim.Card | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    def pcm_name(self, direction: Direction) -> str | None:
        """What to open for a direction; None where the device has none."""
        return self.playback if direction is Direction.PLAYBACK else self.capture

    def open(self, direction: Direction) -> alsamm.PCM:
        name = self.pcm_name(direction)
        assert name is not None, f"{self.name} has no {direction}"
        return alsamm.PCM(name, direction)

    def pass_time(self, frames: int) -> None:
        """Let the card move at least ``frames`` (of a 48 kHz stream)."""
        if self.card is not None:
            self.card.advance(frames)
        else:
            time.sleep(frames / RATE + 0.03)

    def close(self) -> None:
        if self.card is not None:
            self.card.close()


def _software(name: str, clock: Any = "auto") -> Target:
    options = {**SOFTWARE, **STREAMS}[name]
    card = sim.Card(name, clock=clock, **options)
    transports = tuple(
        Transport.SYNC_PTR if options.get(f"refuse_{page}") else Transport.MAPPED for page in ("status", "control")
    )
    return Target(name, card.device, card.device, (transports[0], transports[1]), card=card)


def _facts(name: str) -> dict[str, Any]:
    path = os.environ.get("ALSAMM_LAB_DEVICES")
    facts = json.loads(Path(path).read_text()).get(name) if path else None
    assert facts is not None, (
        f"no device {name!r}: not a software card, and ALSAMM_LAB_DEVICES names no lab that has it"
    )
    return dict(facts)


def named(option: str) -> list[str]:
    """The devices of ``--devices``; the software cards if it names none.

    Those that only stand for their loudspeaker (test_end_to_end.py) are left out: their drivers are there without them.
    """
    names = [name for name in option.split(",") if name] or list(SOFTWARE)
    return [name for name in names if name in SOFTWARE or not _facts(name).get("speaker")]


def has(name: str, what: str) -> bool:
    """Whether a device has a ``playback``, a ``capture``, a ``loop`` from one to the other, ``faults`` on demand, a
    ``kernel`` behind it.
    """
    if what == "loop" and (name.startswith(PLUG) or name == "sim-rw"):
        return False  # exact to the frame are only those that the kernel starts on one trigger
    name = name.removeprefix(PLUG)
    if name in SOFTWARE or name in STREAMS:
        return what != "kernel"
    if what in {"faults", "kernel"}:
        return what == "kernel"
    facts = _facts(name)
    return facts["driver"] == "snd-aloop" if what == "loop" else facts[what] is not None


def _real(name: str) -> Target:
    facts = _facts(name)
    maps = platform.machine() in {"x86_64", "i686", "ppc64le", "alpha"}  # rule C2
    status = Transport.MAPPED if maps else Transport.SYNC_PTR
    control = Transport.MAPPED if maps and facts["driver"] != "snd-usb-audio" else Transport.SYNC_PTR  # rule C4
    # The first substream by name: without it a card with several would give the next one where the test means busy.
    first = [facts[way] and f"{facts[way]},SUBDEV=0" for way in ("playback", "capture")]
    return Target(name, first[0], first[1], (status, control), facts=facts)


def make(name: str) -> Target:
    """The device of that name."""
    return _software(name) if name in SOFTWARE else _real(name)


def stream_names(option: str) -> list[str]:
    """The devices of the streams' cases: those of ``--devices``, some of them by alsa-lib's road too."""
    names = [name for name in option.split(",") if name]
    if not names:
        return list(STREAMS)
    return [road + name for name in named(option) for road in ("", PLUG) if not road or name in PLUGGED]


def make_for_streams(name: str) -> Target:
    """The device of that name, in real time."""
    if name in STREAMS:
        return _software(name, clock="realtime")
    target = _real(name.removeprefix(PLUG))
    if name.startswith(PLUG):
        target.name = name
        target.playback, target.capture = (
            way and "plug" + way.removesuffix(",SUBDEV=0") for way in (target.playback, target.capture)
        )
    return target


def configure(pcm: alsamm.PCM, **wishes: Any) -> alsamm.Geometry:
    """Set a PCM up: access, format, channels and rate exactly, sizes near ours, software parameters by name."""
    hw = alsamm.HwParams(pcm)
    access = Access.MMAP_INTERLEAVED if Access.MMAP_INTERLEAVED in hw.accesses else Access.MMAP_NONINTERLEAVED
    hw.access = wishes.pop("access", access)
    hw.format = wishes.pop("format", Format.S16_LE)
    hw.channels = wishes.pop("channels", 2)
    hw.rate = wishes.pop("rate", RATE)
    hw.nearest(period_size=wishes.pop("period_size", PERIOD))
    hw.nearest(buffer_size=wishes.pop("buffer_size", BUFFER))
    pcm.configure(hw)
    if wishes:
        sw = alsamm.SwParams(pcm)
        for name, value in wishes.items():
            setattr(sw, name, sw.boundary if value == "boundary" else value)
        pcm.configure(sw=sw)
    return pcm.geometry()
