"""Staging: where samples lie as snd_pcm_writei and snd_pcm_readi take them, when the caller's do not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from alsamm.conversion import conversion, convert

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from alsamm.device import Geometry

__all__ = ["Staging"]

_Array = np.ndarray[Any, np.dtype[Any]]

# What is converted at once, while the GIL is kept: tens of microseconds.
_MOST_SAMPLES = 1 << 16


class Staging:
    """A period of a PCM's own samples, and the way between them and the caller's arrays.

    Arrays have the shape (frames, channels), packed samples a last axis of three. The frames from ``first`` to ``last``
    are what the caller has a view of: to be committed, or read ahead.

    Raises as ``conversion``.

    Synchronization: for the thread that owns the CallIO.
    """

    def __init__(self, geometry: Geometry, dtype: DTypeLike | None, *, dither: bool, capture: bool) -> None:
        own = geometry.format
        self.held, self._converter = conversion(dtype, own, dither=dither, capture=capture)
        shape = (geometry.period_size, geometry.channels, *own.dtype.shape)
        self.array: _Array = np.zeros(shape, own.dtype.base)
        self.most = max(1, min(len(self.array), _MOST_SAMPLES // geometry.channels))
        """Frames to be moved at once through ``array``."""
        self.first = self.last = 0
        # Rule F6: the bits beside the value are anything. With a converter they are not looked at.
        padded = own.physical_width == 32 > own.width  # noqa: PLR2004 -- bits
        self._padding = 32 - own.width if padded and self._converter is None else 0
        self._signed = own.signed

    @property
    def frames(self) -> int:
        """How many frames there are to be committed, or were read ahead."""
        return self.last - self.first

    def forget(self) -> None:
        """There are none any more."""
        self.first = self.last = 0

    def takes_as_it_is(self, block: _Array) -> bool:
        """Whether alsa-lib can be given this memory itself."""
        return self._converter is None and block.flags.c_contiguous

    def put(self, block: _Array, frame: int) -> _Array:
        """The caller's block as the PCM's own samples, side by side: itself, or its first frames up to ``most``.

        ``frame``: the number of its first frame, for the dither.
        """
        if self.takes_as_it_is(block):
            return block
        self.forget()
        block = block[: self.most]
        own = self.array[: len(block)]
        self._copy(own, block, frame)
        return own

    def give(self, own: _Array, block: _Array, frame: int) -> None:
        """The PCM's own samples into the caller's block of as many frames, which may be the same memory."""
        if own is not block:
            self._copy(block, own, frame)
        if self._padding and self._signed:
            block <<= self._padding
            block >>= self._padding
        elif self._padding:
            block &= (1 << 32 - self._padding) - 1

    def _copy(self, to: _Array, source: _Array, frame: int) -> None:
        if self._converter is None:
            to[:] = source
        else:
            convert(self._converter, to, source, frame)
