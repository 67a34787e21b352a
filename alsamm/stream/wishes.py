"""Wishes: what is asked of a device, and how it is opened and configured so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from alsamm import errors
from alsamm.alsalib import PCM, HwParams
from alsamm.checks import count_of, real_number
from alsamm.enums import Access, Direction, Format

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

__all__ = ["LATENCIES", "Wishes"]

LATENCIES = {"low": 0.01, "high": 0.1}
"""Seconds of sound in the buffer."""

_PERIODS = 4
# What holds numbers of these exactly, or as nearly as can be, from the narrowest on.
_BITS = {"int16": 16, "int32": 32, "float32": 24, "float64": 32}
_KERNEL_ACCESSES = (Access.MMAP_INTERLEAVED, Access.MMAP_NONINTERLEAVED, Access.RW_INTERLEAVED)


@dataclass(frozen=True)
class Wishes:
    """How a device is to be configured. None: as the class's documentation says.

    Synchronization: immutable.
    """

    rate: int = 48_000
    channels: int = 2
    format: Format | str | None = None
    dtype: DTypeLike | None = None
    period_size: int | None = None
    buffer_size: int | None = None
    latency: float | Literal["low", "high"] | None = None
    nearest: bool = False
    dither: bool = False
    force_sync_ptr: bool = False

    def open(self, device: str, direction: Direction) -> tuple[PCM, np.dtype[np.generic] | None]:
        """Open and configure; gives the PCM and which arrays are to be converted (None: the PCM's own samples).

        Raises DeviceNotFoundError, DeviceBusyError, DeviceAccessError; ParameterError for what cannot be had;
        ArgumentError and ArgumentTypeError.
        """
        self._require_counts()
        dtype = self._known_dtype()
        seconds = self._seconds()
        pcm = PCM(device, direction, blocking=False)
        try:
            self._configure(pcm, dtype, seconds)
        except BaseException:
            pcm.close()
            raise
        return pcm, dtype

    def _require_counts(self) -> None:
        """Here, for the nearest that a card has to a rate of 0 or a buffer of -1 would be had without a word."""
        for name in ("rate", "channels", "period_size", "buffer_size"):
            if (value := getattr(self, name)) is not None:
                count_of(name, value, least=1)

    def _known_dtype(self) -> np.dtype[np.generic] | None:
        if self.dtype is None:
            return None if self.format is not None else np.dtype("int16")
        try:
            return np.dtype(self.dtype)
        except TypeError as error:
            raise errors.ArgumentTypeError(str(error)) from None

    def _seconds(self) -> float | None:
        latency = self.latency
        if latency is None:
            return None if self.period_size or self.buffer_size else LATENCIES["high"]
        if self.buffer_size is not None:
            raise errors.ArgumentError("latency and buffer_size say the same thing: give one of them")
        seconds = LATENCIES.get(latency) if isinstance(latency, str) else real_number("latency", latency)
        if seconds is None or not 0 < seconds < 3600:  # noqa: PLR2004 -- an hour of sound in one buffer
            raise errors.ArgumentError(f"latency {latency!r}: seconds above 0, or one of {', '.join(LATENCIES)}")
        return seconds

    def _configure(self, pcm: PCM, dtype: np.dtype[np.generic] | None, seconds: float | None) -> None:
        hw = HwParams(pcm)
        accesses = _KERNEL_ACCESSES if pcm.is_kernel else (Access.RW_INTERLEAVED,)
        hw.access = next((access for access in accesses if access in hw.accesses), accesses[0])
        hw.format = self._format(hw, dtype)
        if self.nearest:
            hw.nearest(channels=self.channels)
            hw.nearest(rate=self.rate)
        else:
            hw.channels, hw.rate = self.channels, self.rate
        self._sizes(hw, seconds)
        pcm.configure(hw)
        sw = pcm.sw_params()
        playback = pcm.direction == Direction.PLAYBACK
        # A full ring starts: then there is all the time that the buffer can give.
        sw.start_threshold = hw.buffer_size - hw.buffer_size % hw.period_size if playback else 1
        if playback and pcm.is_kernel:
            # Rule J1: what was played is silenced at once, so that an xrun is heard as silence and nothing twice. The
            # kernel does so before it moves hw_ptr, so it never writes over what we are about to commit (J2).
            sw.silence_threshold = 0
            sw.silence_size = sw.boundary
        pcm.configure(sw=sw)

    def _format(self, hw: HwParams, dtype: np.dtype[np.generic] | None) -> Format:
        if self.format is not None:
            return Format.of(self.format)
        assert dtype is not None  # noqa: S101 -- _known_dtype
        own = Format.from_dtype(dtype)
        there = hw.formats
        if own in there or dtype.name not in _BITS:
            return own
        best = _best(there, _BITS[dtype.name])
        return own if best is None else best

    def _sizes(self, hw: HwParams, seconds: float | None) -> None:
        period, buffer = self.period_size, self.buffer_size
        if buffer is not None:
            _set(hw, "buffer_size", buffer, exact=not self.nearest)
        elif period is None:
            assert seconds is not None  # noqa: S101 -- _seconds
            hw.nearest(period_size=max(1, round(seconds * hw.rate / _PERIODS)))
        if period is not None:
            _set(hw, "period_size", period, exact=not self.nearest)
        elif buffer is not None:
            hw.nearest(period_size=max(1, hw.buffer_size // _PERIODS))
        if buffer is None:
            wanted = _PERIODS if seconds is None else max(2, round(seconds * hw.rate / hw.period_size))
            hw.nearest(buffer_size=wanted * hw.period_size)


def _set(hw: HwParams, name: Literal["period_size", "buffer_size"], value: int, *, exact: bool) -> None:
    if exact:
        setattr(hw, name, value)
    elif name == "period_size":
        hw.nearest(period_size=value)
    else:
        hw.nearest(buffer_size=value)


def _best(there: list[Format], bits: int) -> Format | None:
    """The narrowest format that keeps so many bits; if none does, the widest there is."""
    linear = [each for each in there if each.linear and not each.is_float]
    linear += [each for each in there if each.is_float]
    enough = [each for each in linear if _kept(each) >= bits]
    if enough:
        return min(enough, key=lambda each: (_kept(each), each.physical_width))
    return max(linear, key=_kept, default=None)


def _kept(format: Format) -> int:  # noqa: A002 -- ALSA's word
    """Bits of a whole number that a sample keeps."""
    return {32: 24, 64: 53}[format.width] if format.is_float else format.width
