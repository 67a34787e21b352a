"""How loud sound is, and how that is drawn."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from alsamm.cli.sound import native
from alsamm.samples import as_frames

if TYPE_CHECKING:
    from alsamm.enums import Format
    from alsamm.wav import Frames

__all__ = ["FULL", "QUIETEST", "RAIL", "Level", "Levels", "bar", "loudest_of", "meters"]

FULL, RAIL = "█", "·"
"""What a bar is made of, beside the eighths in between."""
QUIETEST = -99.9
"""dBFS that silence is told as."""

_EIGHTHS = ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")
_FLOOR = -60.0


class Level(NamedTuple):
    """One channel. dBFS: 0.0 is full scale, -inf silence; of a sine at full scale the RMS is -3.01."""

    peak: float
    rms: float
    over: bool
    """Whether a sample was at full scale, or beyond: it was clipped, or is about to be."""


class Levels:
    """The levels of a stream of blocks since they were last taken.

    ``format`` is what the samples in the blocks are: of ``Format.from_dtype`` where they were converted.

    Raises UnsupportedError for samples that are no numbers, ArgumentError and ArgumentTypeError for other blocks.

    Synchronization: none; one thread at a time.
    """

    def __init__(self, channels: int, format: Format) -> None:  # noqa: A002 -- ALSA's word
        self._format = format
        self._channels = channels
        format.dtype  # noqa: B018 -- raises UnsupportedError
        self._restart()

    def _restart(self) -> None:
        self._least = np.zeros(self._channels)
        self._most = np.zeros(self._channels)
        self._squares = np.zeros(self._channels)
        self._frames = 0

    def add(self, block: Any) -> None:
        """Take a block in: what a stream of the format and channels would write, or gave. It is not kept."""
        frames = as_frames(block, self._format, self._channels)
        if not len(frames):
            return
        values = _values(frames, self._format).reshape(-1, self._channels)
        self._least = np.minimum(self._least, values.min(axis=0))
        self._most = np.maximum(self._most, values.max(axis=0))
        self._squares += np.einsum("ij,ij->j", values, values)
        self._frames += len(values)

    def take(self) -> list[Level]:
        """For each channel; then begin anew."""
        peaks = np.maximum(-self._least, self._most)
        means = self._squares / max(1, self._frames)
        # The greatest number of two's complement is a step below full scale.
        top = 1.0 if self._format.is_float else 1.0 - 2.0 ** (1 - self._format.width)
        levels = [
            Level(_decibels(float(peak)), _decibels(math.sqrt(mean)), bool(peak >= top))
            for peak, mean in zip(peaks, means, strict=True)
        ]
        self._restart()
        return levels


def loudest_of(levels: Iterable[Level]) -> Level:
    """The greatest of each, such as of all channels."""
    there = list(levels)
    peak, rms = max(level.peak for level in there), max(level.rms for level in there)
    return Level(peak, rms, any(level.over for level in there))


def bar(dbfs: float, width: int) -> str:
    """A bar of ``width`` characters: full at 0 dBFS, empty at -60."""
    eighths = round((min(max(dbfs, _FLOOR), 0.0) - _FLOOR) / -_FLOOR * width * 8)
    text = FULL * (eighths // 8) + _EIGHTHS[eighths % 8]
    return text + RAIL * (width - len(text))


def meters(levels: Sequence[Level], width: int = 40) -> list[str]:
    """A line for each channel: its number from 1, the RMS as a bar, the peak as a number."""
    return [
        f"{number:>3} {bar(level.rms, width)} {max(level.peak, QUIETEST):6.1f} dB{'  OVER' if level.over else ''}"
        for number, level in enumerate(levels, 1)
    ]


def _values(frames: Frames, format: Format) -> Frames:  # noqa: A002 -- as above
    """As float64, 1.0 at full scale; NaN is silence, as where streams convert."""
    numbers = native(frames, format)
    if format.is_float:
        values: Frames = np.nan_to_num(numbers.astype("f8"), posinf=np.inf, neginf=-np.inf)
    else:
        values = numbers / 2.0 ** (8 * numbers.itemsize - 1)
    return values


def _decibels(value: float) -> float:
    return 20 * math.log10(value) if value > 0 else -math.inf
