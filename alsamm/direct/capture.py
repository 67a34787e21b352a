"""MmapCapture: samples out of the kernel's ring."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np

from alsamm import errors
from alsamm._c import lib
from alsamm.checks import count_of
from alsamm.direct.block_io import is_array
from alsamm.direct.mmap_io import MmapIO
from alsamm.direct.samples import to_values
from alsamm.enums import Direction

__all__ = ["CaptureIter", "MmapCapture"]

_fast_read = lib.fast_read


class MmapCapture(MmapIO):
    """Read from a capture PCM's ring. See MmapIO for construction, lifetime and what is shared with playback.

    Synchronization: one owner at a time; others may read ``status`` and ``control``.
    """

    _DIRECTION = Direction.CAPTURE

    def read_into(self, out: Any) -> int:
        """Copy captured frames into ``out`` and give their place back to the card; the frames read, which may be 0.

        ``out`` is an array of ``dtype``, shape (frames, channels) or (frames,) for mono, or any writable buffer.
        Samples of 18 to 24 bits in four bytes are sign-extended (rule F6). Never waits and never starts: see ``start``,
        ``wait``, ``fill``.

        Raises Overrun when the card was ahead by more than the ring, before or during the copy (rule G5): frames are
        lost, nothing is committed, ``forward`` or ``prepare`` goes on. ArgumentTypeError and ArgumentError for an array
        that does not fit; SuspendedError, DeviceLostError or StateError by state.
        """
        if out is self._array:
            if not (result := _fast_read(self._ring)):
                return self._frames
        elif is_array(out):
            result = -errno.ESTALE
        else:
            return self._borrow(self.read_into, out)
        return self._settle(result, out, lib.fast_read_array, lib.alsamm_read)

    def fill(self, out: Any, timeout: float | None = None, *, recover: bool = False) -> int:
        """Fill all of ``out``, waiting for the card: copied and committed a period at a time by C, without the GIL.

        ``out`` as ``read_into`` takes it. Starts a stream that is PREPARED, as snd_pcm_readi does. Gives the number of
        frames, which is all; ``frames_done`` tells it when an exception ends the call.

        ``timeout``: seconds for all of it. Without one, and within one, the card may stand still for a buffer and a
        second. With ``recover`` an overrun does not end the call: it is counted in ``xruns``, what the card wrote over
        is lost, and the next frame is one that came after.

        Raises TimeoutError; StateError when a capture that drains has no more; else as ``read_into``.
        """
        return self._all(out, lib.fast_read_array, lib.alsamm_fill, timeout, recover=recover)

    def read(self, frames: int | None = None) -> np.ndarray[Any, np.dtype[Any]]:
        """A new array of up to ``frames`` captured frames (None: all there are), shape (n, channels).

        Else as ``read_into``.
        """
        if frames is None:
            frames = min(self.avail(), self.buffer_size)
        out = np.empty((min(count_of("frames", frames), self.buffer_size), self.channels), self.dtype)
        return out[: self.read_into(out)]

    def peek(self) -> np.ndarray[Any, np.dtype[Any]]:
        """A new array of all captured frames that are there, which stay there. Else as ``read_into``."""
        out = np.empty((min(self.avail(), self.buffer_size), self.channels), self.dtype)
        return out[: self._settle(-errno.ESTALE, out, self._peek, lib.alsamm_peek)]

    def _peek(self, ring: Any, array: int) -> int:
        return self._outside(lib.alsamm_peek, ring, array)

    def _fail(self, result: int) -> None:
        if result == -errno.EOVERFLOW:
            lost = self.avail() - self.buffer_size
            raise errors.Overrun(
                errno.EPIPE, f"the card overwrote {lost} frames that were not read", "read", self._device.name
            )
        self._check(result, "read")

    def iter(self) -> CaptureIter:
        """The samples that are there now, one at a time; committed when exhausted, closed or dropped."""
        return CaptureIter(self)

    def __iter__(self) -> CaptureIter:
        return CaptureIter(self)

    def drain(self, timeout: float | None = None) -> None:
        """Stop capturing; what is in the ring can still be read, then ``drop`` ends it (rule G).

        The state is DRAINING while frames are left to read, SETUP where there were none.
        """
        del timeout  # a capture's DRAIN does not wait
        with suppress(errors.XrunError, errors.SuspendedError, errors.StateError):
            self.hwsync()  # DRAIN itself does not ask the card: what came since the last interrupt would be lost
        with suppress(errors.WouldBlockError):  # what a non-blocking descriptor is told once it drains (rule J4)
            self._op(lib.ALSAMM_DRAIN, "SNDRV_PCM_IOCTL_DRAIN")


class CaptureIter(Iterator[Any]):
    """Captured samples as Python numbers: channel after channel, frame after frame.

    The frames are copied out when it is made (capture memory is slow to read twice, rule C11) and checked against
    overrun. Those that were taken whole are committed when the iterator is exhausted, closed or dropped; a frame of
    which only some channels were taken stays in the ring, so that no channel can slip.

    Synchronization: for the thread that owns the MmapCapture.
    """

    def __init__(self, capture: MmapCapture) -> None:
        """Raises as MmapCapture.read_into."""
        self._capture: MmapCapture | None = None  # until the frames are here: __del__ runs on half-made objects too
        self._values = to_values(capture.peek(), capture._held)  # noqa: SLF001 -- of one room
        self._taken = 0
        self._capture = capture

    def __next__(self) -> Any:
        if self._taken < len(self._values) and self._capture is not None:
            self._taken += 1
            return self._values[self._taken - 1]
        self.close()
        raise StopIteration

    def close(self) -> None:
        """Commit the whole frames that were taken; twice is harmless. Raises as MmapIO.commit."""
        capture, self._capture = self._capture, None
        if capture is not None and not capture.closed:
            capture.commit(self._taken // capture.channels)

    def __del__(self) -> None:
        with suppress(errors.AlsaError):  # the capture's next call says the same, to somebody who can hear it
            self.close()
