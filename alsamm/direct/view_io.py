"""ViewIO: the ring's own memory, as numpy shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from alsamm import errors
from alsamm._c import ffi, lib
from alsamm.direct.block_io import BlockIO
from alsamm.direct.samples import RawSamples

if TYPE_CHECKING:
    from alsamm.direct.mapping import Mapping

__all__ = ["ViewIO"]

_fast_spans = lib.fast_spans


class ViewIO(BlockIO):
    """Shows a ring; MmapIO makes it.

    What is read through a view may change at any time, what is written is heard only after ``commit``.
    """

    _mapping: Mapping
    _areas: Any

    def __init__(self) -> None:
        self._ring = ffi.new("struct alsamm_ring *")
        self._spans = ffi.new("struct alsamm_spans *")

    def _next_spans(self) -> Any:
        if (result := _fast_spans(self._ring, self._spans)) < 0:
            self._check(result, "data")
        return self._spans

    def data(self) -> tuple[RawSamples, RawSamples | None]:
        """The frames that can be written or read now: one run, a second from the ring's start where it wraps (rule E6).

        Raises XrunError, SuspendedError, DeviceLostError or StateError where the state allows no transfer.
        """
        spans = self._next_spans()
        first = self._raw(spans.offset, spans.first)
        return first, self._raw(0, spans.second) if spans.second else None

    def next_view(self, frames: int) -> np.ndarray[Any, np.dtype[Any]]:
        """The first ``frames`` of ``data()[0].view``, or as many as it has. Raises as they do."""
        spans = self._next_spans()
        offset, there = spans.offset, spans.first
        if (array := self._mapping.array) is None:
            return self._raw(offset, there).view  # which says why there is none
        return array[offset : offset + min(frames, there)]

    def _raw(self, offset: int, frames: int) -> RawSamples:
        area = self._areas[0]
        if (array := self._mapping.array) is None:
            self._require_open()  # another thread closes it just now
        return RawSamples(
            None if array is None else array[offset : offset + frames],
            format=self._geometry.format,
            address=int(ffi.cast("uintptr_t", area.base)) + offset * area.step,
            offset=offset,
            frames=frames,
            channels=self._geometry.channels,
            step=area.step,
        )

    def channel(self, number: int) -> np.ndarray[Any, np.dtype[Any]]:
        """One channel of the whole ring: shape (buffer_size,), whatever the card's layout."""
        if not 0 <= number < self._geometry.channels:
            raise errors.ArgumentError(f"channel {number}: there are {self._geometry.channels}")
        self._require_open()
        return self._mapping.channel(number)
