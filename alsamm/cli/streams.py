"""How a command configures a PCM and moves frames: through the ring where there is one, else by calls."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

import alsamm
from alsamm.cli.devices import opened_by_kernel
from alsamm.enums import Access, Format

if TYPE_CHECKING:
    from alsamm.wav import Frames

__all__ = ["Sink", "Sizes", "Sound", "Source", "choose", "describe", "silence", "sink", "source"]

_PERIOD = 1024
_PERIODS = 16
_BLOCK = 256
_BY_RING = (Access.MMAP_INTERLEAVED, Access.MMAP_NONINTERLEAVED)


@dataclass(frozen=True)
class Sizes:
    """What the user wants of the ring; None: no wish."""

    period: int | None
    buffer: int | None


@dataclass(frozen=True)
class Sound:
    """What frames are."""

    format: Format
    channels: int
    rate: int

    def __str__(self) -> str:
        return f"{self.format}, {self.channels} channel{'s' if self.channels != 1 else ''}, {self.rate} Hz"


class Sink(Protocol):
    """Where frames go: MmapPlayback, or a PCM by calls."""

    @property
    def transport(self) -> object:
        """How it goes, in words."""
        ...

    def write(self, samples: Any, /) -> int:
        """Hand over what there is room for; gives the frames."""
        ...

    def wait(self, timeout: float | None = None) -> object:
        """Sleep until there is room."""
        ...

    def prepare(self) -> None:
        """Make ready again after an xrun."""
        ...

    def drain(self, timeout: float | None = None) -> None:
        """Play what was written, to its end."""
        ...


class Source(Protocol):
    """Where frames come from: MmapCapture, or a PCM by calls."""

    @property
    def transport(self) -> object:
        """How it goes, in words."""
        ...

    def read(self) -> Frames:
        """What was captured."""
        ...

    def wait(self, timeout: float | None = None) -> object:
        """Sleep until there is something to read."""
        ...

    def prepare(self) -> None:
        """Make ready again after an xrun."""
        ...

    def start(self) -> None:
        """Start the card."""
        ...

    def drop(self) -> None:
        """Stop it."""
        ...


class _ByCalls:
    """A PCM that cannot be mapped, with the methods of one that can."""

    def __init__(self, pcm: alsamm.PCM) -> None:
        self._pcm = pcm
        self.transport = "read/write calls" if opened_by_kernel(pcm) else "alsa-lib"
        self.write = pcm.writei
        self.prepare, self.start, self.drop = pcm.prepare, pcm.start, pcm.drop
        self.drain = pcm.drain

    def read(self) -> Frames:
        """A period, when it is there."""
        return self._pcm.readi()

    def wait(self, timeout: float | None = None) -> None:
        """Reading and writing wait by themselves."""


def choose(pcm: alsamm.PCM, sounds: Iterable[Sound], sizes: Sizes) -> Sound:
    """Configure the PCM for the first of ``sounds`` that it takes exactly; gives it.

    Raises ParameterError that tells why the first one was not possible.
    """
    refusal: alsamm.ParameterError | None = None
    for sound in sounds:
        hw = alsamm.HwParams(pcm)
        try:
            hw.access = _access(pcm, hw)
            # In an order that makes the message about what the user can change.
            hw.rate, hw.channels, hw.format = sound.rate, sound.channels, sound.format
        except alsamm.ParameterError as error:
            refusal = refusal or error
            continue
        _set_sizes(hw, sizes)
        pcm.configure(hw)
        return sound
    assert refusal is not None  # noqa: S101 -- there was one sound at least
    raise refusal


def _access(pcm: alsamm.PCM, hw: alsamm.HwParams) -> Access:
    can = hw.accesses
    wanted = (*_BY_RING, Access.RW_INTERLEAVED) if opened_by_kernel(pcm) else (Access.RW_INTERLEAVED,)
    for access in wanted:
        if access in can:
            return access
    raise alsamm.UnsupportedError(f"{pcm.name}: none of its accesses can be used: {', '.join(map(str, can))}")


def _set_sizes(hw: alsamm.HwParams, sizes: Sizes) -> None:
    if sizes.buffer is not None:
        hw.buffer_size = sizes.buffer
    if sizes.period is not None:
        hw.period_size = sizes.period
    else:
        hw.nearest(period_size=_PERIOD if sizes.buffer is None else min(_PERIOD, max(1, sizes.buffer // 4)))
    if sizes.buffer is None:
        hw.nearest(buffer_size=_PERIODS * max(_PERIOD, sizes.period or 0))


@contextmanager
def sink(pcm: alsamm.PCM, *, sync_ptr: bool) -> Generator[Sink]:
    """Where to write frames for a configured PCM. What still moves at the end is stopped by closing the PCM."""
    if not _mapped(pcm, sync_ptr):
        yield _ByCalls(pcm)
        return
    with closing(alsamm.MmapPlayback(pcm, force_sync_ptr=sync_ptr)) as ring:
        yield ring


@contextmanager
def source(pcm: alsamm.PCM, *, sync_ptr: bool) -> Generator[Source]:
    """Where to read frames from for a configured PCM. What still moves at the end is stopped by closing the PCM."""
    if not _mapped(pcm, sync_ptr):
        yield _ByCalls(pcm)
        return
    with closing(alsamm.MmapCapture(pcm, force_sync_ptr=sync_ptr)) as ring:
        yield ring


def _mapped(pcm: alsamm.PCM, sync_ptr: bool) -> bool:
    mapped = pcm.geometry().access in _BY_RING
    if sync_ptr and not mapped:
        raise alsamm.UnsupportedError(f"{pcm.name} cannot be mapped, so there is no choice of SYNC_PTR")
    return mapped


def silence(sound: Sound, frames: int) -> Iterator[Frames]:
    """So many silent frames, in small blocks: with thousands of channels a large one would be enormous."""
    for first in range(0, frames, _BLOCK):
        count = min(_BLOCK, frames - first)
        samples = np.frombuffer(sound.format.silence * (count * sound.channels), sound.format.dtype.base)
        yield samples.reshape((count, sound.channels, *sound.format.dtype.shape))


def describe(geometry: alsamm.Geometry) -> str:
    """A configuration in one line."""
    sound = Sound(geometry.format, geometry.channels, geometry.rate)
    layout = ", non-interleaved" if geometry.access is Access.MMAP_NONINTERLEAVED else ""
    return f"{sound}{layout}; period {geometry.period_size}, buffer {geometry.buffer_size} frames"
