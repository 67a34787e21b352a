"""What frames are, and frames as numpy has numbers for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from alsamm.enums import Access, Format

if TYPE_CHECKING:
    import alsamm
    from alsamm.wav import Frames

__all__ = ["Sound", "describe", "holders", "native", "native_format", "silence"]

_BLOCK = 256
_NARROW = 16
_WIDER = (Format.S32_LE, Format.S24_LE, Format.S24_3LE)


@dataclass(frozen=True)
class Sound:
    """What frames are."""

    format: Format
    channels: int
    rate: int

    def __str__(self) -> str:
        return f"{self.format}, {self.channels} channel{'s' if self.channels != 1 else ''}, {self.rate} Hz"


def describe(geometry: alsamm.Geometry) -> str:
    """A configuration in one line."""
    sound = Sound(geometry.format, geometry.channels, geometry.rate)
    layout = ", non-interleaved" if geometry.access is Access.MMAP_NONINTERLEAVED else ""
    return f"{sound}{layout}; period {geometry.period_size}, buffer {geometry.buffer_size} frames"


def holders(sample_format: Format) -> tuple[Format, ...]:
    """The formats that a card can be set to for such samples without loss, the samples' own first."""
    if sample_format.is_float or not sample_format.linear:
        return (sample_format,)
    wide = [each for each in _WIDER if each.width >= sample_format.width]
    narrow = [Format.S16_LE] if sample_format.width < _NARROW else []
    return tuple(dict.fromkeys([sample_format, *narrow, *wide]))


def native_format(sample_format: Format) -> Format:
    """The format of what ``native`` gives: S16, S32, FLOAT or FLOAT64 of this machine's byte order."""
    if sample_format.is_float:
        return Format.FLOAT if sample_format.width == Format.FLOAT.width else Format.FLOAT64
    return Format.S16 if sample_format.width <= _NARROW else Format.S32


def native(frames: Frames, sample_format: Format) -> Frames:
    """The same sound in numbers that numpy and soxr can work with: integers at their upper end. Nothing is lost."""
    dtype = native_format(sample_format).dtype
    if sample_format.is_float:
        return frames.astype(dtype, copy=False)
    width, bits = sample_format.width, 8 * dtype.itemsize
    if sample_format.physical_width // 8 == 3:  # noqa: PLR2004 -- packed
        octets = np.zeros((*frames.shape[:-1], 4), "u1")
        octets[..., :3] = frames[..., ::-1] if sample_format.big_endian else frames
        frames = octets.view("<u4")[..., 0]
    # What lies above the sample's bits is anything (rule F6): it is shifted out.
    numbers = frames.astype(f"u{dtype.itemsize}") << np.array(bits - width, f"u{dtype.itemsize}")
    if not sample_format.signed:
        numbers ^= np.array(1 << (bits - 1), numbers.dtype)
    whole: Frames = numbers.view(dtype)
    return whole


def silence(sample_format: Format, channels: int, frames: int) -> Iterator[Frames]:
    """So many silent frames, in small blocks: with thousands of channels a large one would be enormous."""
    for first in range(0, frames, _BLOCK):
        count = min(_BLOCK, frames - first)
        samples = np.frombuffer(sample_format.silence * (count * channels), sample_format.dtype.base)
        yield samples.reshape((count, channels, *sample_format.dtype.shape))
