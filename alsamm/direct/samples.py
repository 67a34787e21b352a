"""The ring's memory as numpy sees it, and single samples as Python numbers."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import numpy as np

from alsamm import errors
from alsamm.enums import Format

__all__ = ["RawSamples", "from_values", "to_values"]

_Array = np.ndarray[Any, np.dtype[Any]]


class RawSamples:
    """One run of frames in the ring: its memory as a numpy view and as raw numbers.

    The memory is the card's: what is read may change at any time, so copy once and in order; what is written is heard
    only after ``commit``.

    Synchronization: for the thread that owns the MmapPlayback or MmapCapture.
    """

    __slots__ = ("_format", "_view", "address", "channels", "frames", "offset", "step")

    def __init__(
        self,
        view: _Array | None,
        *,
        format: Format,  # noqa: A002 -- ALSA's word
        address: int,
        offset: int,
        frames: int,
        channels: int,
        step: int,
    ) -> None:
        self._view = view
        self._format = format
        self.address = address
        """Where channel 0 of the first frame is, as an integer."""
        self.offset = offset
        """Of the first frame, in frames from the ring's start."""
        self.frames = frames
        self.channels = channels
        self.step = step
        """Bytes from one frame to the next."""

    @property
    def samples(self) -> int:
        """``frames * channels``."""
        return self.frames * self.channels

    @property
    def view(self) -> _Array:
        """Shape (frames, channels), (frames, channels, 3) for packed samples; read-only for capture.

        Raises UnsupportedError where the driver's channels are not evenly spaced in memory.
        """
        if self._view is None:
            raise errors.UnsupportedError("the driver's channels are not evenly spaced; no single array can show them")
        return self._view

    def write_samples(self, samples: Iterable[Any]) -> tuple[bool, int]:
        """Put samples, channel after channel, frame after frame, into this run; nothing is committed.

        Gives whether the iterator was exhausted and the number of samples written, as the seed does: raw memory, so a
        part of a frame counts too.
        """
        view = self.view
        flat = list(itertools.islice(iter(samples), self.samples))
        block = from_values(flat, self._format)
        whole = len(flat) // self.channels
        view[:whole] = block[: whole * self.channels].reshape((whole, self.channels, *view.shape[2:]))
        if rest := len(flat) % self.channels:
            view[whole, :rest] = block[whole * self.channels :]
        return len(flat) < self.samples, len(flat)

    def __repr__(self) -> str:
        return f"<RawSamples {self.frames} frames x {self.channels} at 0x{self.address:x}>"


def from_values(values: list[Any], format: Format) -> _Array:  # noqa: A002 -- ALSA's word
    """Python numbers as samples of ``format``: shape (n,), or (n, 3) for packed ones.

    Raises ArgumentTypeError for what is no number (no whole number, for an integer format), ArgumentError for one that
    the format cannot hold.
    """
    plain = np.asarray(values) if values else np.empty(0, np.int64)
    if plain.ndim != 1 or plain.dtype.kind not in ("iuf" if format.is_float else "iu"):
        kind = "numbers" if format.is_float else "whole numbers"
        raise errors.ArgumentTypeError(f"{format.name} samples are {kind}, one at a time")
    if format.is_float:
        return plain.astype(format.dtype)
    low, high = (
        (-(1 << format.width - 1), (1 << format.width - 1) - 1) if format.signed else (0, (1 << format.width) - 1)
    )
    if values and not (low <= plain.min() and plain.max() <= high):
        raise errors.ArgumentError(f"{format.name} samples are {low} to {high}; got {plain.min()} to {plain.max()}")
    if format.dtype.subdtype is None:
        return plain.astype(format.dtype)
    octets = plain.astype("<i4").view("u1").reshape(-1, 4)[:, :3]
    return octets[:, ::-1] if format.big_endian else octets


def to_values(block: _Array, format: Format) -> list[Any]:  # noqa: A002 -- ALSA's word
    """Samples of a block (frames, channels[, 3]) as Python numbers, channel after channel, frame after frame."""
    if format.dtype.subdtype is None:
        return list(block.reshape(-1).tolist())
    octets = block.reshape(-1, 3)
    if format.big_endian:
        octets = octets[:, ::-1]
    wide = np.zeros((len(octets), 4), "u1")
    wide[:, :3] = octets
    numbers = wide.view("<i4").reshape(-1)
    if format.signed:
        shift = 32 - format.width
        numbers = (numbers << shift) >> shift
    return list(numbers.tolist())
