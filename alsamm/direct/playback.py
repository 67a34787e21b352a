"""MmapPlayback: samples into the kernel's ring."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from typing import Any

import numpy as np

from alsamm import errors
from alsamm._c import lib
from alsamm.checks import count_of
from alsamm.direct.block_io import NOTHING, is_array
from alsamm.direct.mmap_io import MmapIO
from alsamm.direct.samples import from_values
from alsamm.enums import Direction
from alsamm.samples import is_buffer

__all__ = ["MmapPlayback", "Reserved"]

_END = object()
_ndarray = np.ndarray  # looked up once: half of a write's time is Python's own
_fast_write = lib.fast_write
_fast_write_array = lib.fast_write_array


class MmapPlayback(MmapIO):
    """Write to a playback PCM's ring. See MmapIO for construction, lifetime and what is shared with capture.

    Synchronization: one owner at a time; others may read ``status`` and ``control``.
    """

    _DIRECTION = Direction.PLAYBACK

    def write(self, samples: Any) -> int:
        """Copy samples into the ring and commit them; gives the frames written, which is as many as there is room for.

        ``samples`` is an array of ``dtype``, shape (frames, channels) or (frames,) for mono, any strides; or any
        buffer; or an iterator of single samples, channel after channel, of which no more are taken than there is room
        for. Never waits: see ``wait`` and ``write_all``. Starts the stream at start_threshold (rule G6).

        Raises ArgumentTypeError and ArgumentError for what does not fit the ring, also for an iterator that ends within
        a frame (then nothing is committed); XrunError, SuspendedError, DeviceLostError or StateError by state.
        """
        if samples is self._array:
            if not (result := _fast_write(self._ring)):
                return self._frames
        elif type(samples) is _ndarray:
            self._array = NOTHING  # as _take
            if not (result := _fast_write_array(self._ring, id(samples))):
                self._frames = frames = len(samples)
                self._array = samples
                return frames
        elif is_array(samples):
            result = -errno.ESTALE
        elif isinstance(samples, Iterable) and not is_buffer(samples):
            return self._write_samples(samples)
        else:
            return self._borrow(self.write, samples)
        return self._settle(result, samples, _fast_write_array, lib.alsamm_write)

    def write_all(self, samples: Any, timeout: float | None = None, *, recover: bool = False) -> int:
        """Write every frame, waiting for room: copied and committed a period at a time by C, without the GIL.

        ``samples`` as ``write`` takes them, but for an iterator. Starts the stream at start_threshold. Gives the
        number of frames, which is all; ``frames_done`` tells it when an exception ends the call.

        ``timeout``: seconds for all of it. Without one, and within one, the card may stand still for a buffer and a
        second. With ``recover`` an underrun does not end the call: it is counted in ``xruns``, the stream is prepared
        anew and starts again with what comes next.

        Raises TimeoutError; StateError when the ring is full and start_threshold is more than that; else as ``write``.
        """
        return self._all(samples, _fast_write_array, lib.alsamm_write_all, timeout, recover=recover)

    def _fail(self, result: int) -> None:
        self._check(result, "write")

    def _write_samples(self, samples: Iterable[Any]) -> int:
        self._ring.done = 0
        room = min(self.avail(), self.buffer_size) * self.channels
        values: list[Any] = []
        iterator = iter(samples)
        while len(values) < room and (value := next(iterator, _END)) is not _END:
            values.append(value)
        if len(values) % self.channels:
            raise errors.ArgumentError(
                f"the iterator ended after {len(values)} samples, within a frame of {self.channels}; none was written"
            )
        flat = from_values(values, self._held)
        return self.write(flat.reshape((-1, self.channels, *flat.shape[1:])))

    def reserve(self, frames: int) -> Reserved:
        """A view of the next ``frames`` of the ring, for ``with``: committed on leaving; on an exception nothing is.

        The view is shorter where the ring ends or has less room, as with snd_pcm_mmap_begin: its length says what to
        fill. It shows the ring's own samples, whatever ``dtype`` is.

        Raises ArgumentError for a negative count; else, entering and leaving, as ``data`` and ``commit``.
        """
        return Reserved(self, count_of("frames", frames))

    def silence(self) -> None:
        """Fill all that is not committed with the format's silence, which hw_params' zeros are not for U8 (rule F7)."""
        self._check(self._outside(lib.alsamm_fill_silence, self._ring), "silence")

    def drain(self, timeout: float | None = None) -> None:
        """Play what is committed, then stop; silence goes behind the last frame, for cards stop at a period's end only.

        A stream that was not started is. ``timeout``: seconds for which the card may stand still; None is one buffer
        and a second. Raises TimeoutError then; XrunError, SuspendedError, DeviceLostError or StateError by state (rules
        J3-J5).
        """
        try:
            self._patiently(lib.alsamm_drain, timeout, "drain")
        except errors.AlsaOSError as error:
            if error.errno != errno.EIO:
                raise
            raise TimeoutError(f"{self._device.name}: the card stood still while draining") from None
        self._require_open()  # else it was another thread's close that stopped it


class Reserved:
    """What ``MmapPlayback.reserve`` gives: enter it for the view, leave it to commit.

    Synchronization: for the thread that owns the MmapPlayback.
    """

    __slots__ = ("_committed", "_frames", "_ring")

    def __init__(self, ring: MmapPlayback, frames: int) -> None:
        self._ring = ring
        self._frames = frames

    def __enter__(self) -> np.ndarray[Any, np.dtype[Any]]:
        view = self._ring.next_view(self._frames)
        self._committed = len(view)
        return view

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._ring.commit(self._committed)
