"""capture(): a stream of samples from a device."""

from __future__ import annotations

import sys
import time
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from alsamm import errors
from alsamm.checks import count_of
from alsamm.direct.block_io import require_target
from alsamm.enums import Format, State
from alsamm.samples import as_frames
from alsamm.stream.aio import AsyncCapture, Awaitable
from alsamm.stream.base import DeviceStream, Policy
from alsamm.stream.io import CaptureIO, open_capture
from alsamm.stream.wishes import Wishes

if TYPE_CHECKING:
    from numpy.typing import DTypeLike
    from typing_extensions import Self

    from alsamm.alsalib import PCM

__all__ = ["CaptureStream", "capture"]

_Array = np.ndarray[Any, np.dtype[Any]]


def capture(
    device: str = "default",
    *,
    rate: int = 48_000,
    channels: int = 2,
    format: Format | str | None = None,  # noqa: A002 -- ALSA's word
    dtype: DTypeLike | None = None,
    period_size: int | None = None,
    buffer_size: int | None = None,
    latency: float | Literal["low", "high"] | None = None,
    nearest: bool = False,
    dither: bool = False,
    force_sync_ptr: bool = False,
    on_xrun: Policy = "recover",
) -> CaptureStream:
    """Open a device to record from: any name of ``arecord -L``. For ``with``, or ``async with``.

    The wishes are those of ``playback``. The card starts with the first read, or by ``start``. After an overrun it goes
    on at once; the frames that it had and that were not read are lost, and told as an Interruption.
    """
    wishes = Wishes(rate, channels, format, dtype, period_size, buffer_size, latency, nearest, dither, force_sync_ptr)
    pcm, io = open_capture(device, wishes)
    return CaptureStream(pcm, io, on_xrun)


class CaptureStream(DeviceStream, Awaitable[AsyncCapture]):
    """What ``capture`` gives. See DeviceStream for what is granted, time, state and who must lock."""

    _async = AsyncCapture

    def __init__(self, pcm: PCM, io: CaptureIO, on_xrun: Policy) -> None:
        super().__init__(pcm, io, on_xrun)
        self._io: CaptureIO = io
        self._kept: _Array | None = None
        """What a read had when it was ended before it had all; the next one begins with it."""
        self._begun = self._had = 0

    @property
    def frame(self) -> int:
        """The number of the next frame to be read."""
        return self._io.frame - (0 if self._kept is None else len(self._kept))

    @property
    def ring(self) -> CaptureIO:
        """What the stream stands on: an MmapCapture where there is a ring. It is the stream's: do not close it."""
        return self._io

    def read(self, frames: int | None = None, timeout: float | None = None, *, out: Any = None) -> Any:
        """Read exactly ``frames`` (None: a period), waiting for them without the GIL; gives a new array.

        The array is (frames, channels) of ``dtype``, yours to keep. Or ``out``, an array or buffer that is filled and
        given back; ``frames`` is then its length.

        ``timeout``: seconds for all of it; without one the card may stand still for a buffer and a second. Raises
        TimeoutError then. A read that ends by an exception loses nothing: what it had is what the next one begins with;
        of ``out`` the first ``frames_done`` are filled, and are not given again. Raises ArgumentError,
        ArgumentTypeError; StateError after ``drop``, until ``prepare``; ClosedError; DeviceLostError.
        """
        if out is None:
            array = self.blank(self.period_size if frames is None else frames)
        elif frames is not None:
            raise errors.ArgumentError("read() takes an array to fill or a number of frames, not both")
        else:
            array = self._target(out)
        self._begun = self._moved
        self._had = self._take_kept(array)
        try:
            self._fill(array[self._had :], timeout)
        except BaseException:
            if out is None:
                self.keep(array[: self.frames_done])
            raise
        return array if out is None else out

    @property
    def frames_done(self) -> int:
        """How many frames the last ``read`` gave, whatever ended it."""
        return self._had + self._moved - self._begun

    def _target(self, out: Any) -> _Array:
        """As an array, and checked, for a slice of a buffer would be a copy."""
        array = as_frames(out, self.array_format, self.channels)
        require_target(array)
        return array

    def blank(self, frames: int) -> _Array:
        """An array to read so many into. Raises ArgumentError, ArgumentTypeError."""
        frame_bytes = self.channels * self.dtype.itemsize
        count = count_of("frames", frames, most=sys.maxsize // frame_bytes)  # numpy's own words are a ValueError
        return np.empty((count, self.channels, *self.dtype.shape), self.dtype.base)

    def _take_kept(self, array: _Array) -> int:
        """Begin with what an earlier read had; gives how many frames."""
        kept = self._kept
        if kept is None:
            return 0
        had = min(len(kept), len(array))
        array[:had] = kept[:had].reshape(array[:had].shape)
        self._kept = kept[had:] if had < len(kept) else None
        return had

    def keep(self, frames: _Array) -> None:
        """Give frames back that were read: the next read begins with them."""
        if len(frames):
            self._kept = frames if self._kept is None else np.concatenate([frames, self._kept])

    def _fill(self, array: _Array, timeout: float | None) -> None:
        io = self._io
        if self._started_ns is None:
            self._started_ns = time.monotonic_ns()
        try:
            io.fill(array, timeout, recover=self.recovers)
        except errors.StateError:
            if self.state == State.SETUP:
                message = f"{self.device}: stopped, by drain() or drop(); prepare() makes it ready again"
                raise errors.StateError(message) from None
            raise
        finally:
            self._moved += self._done()

    def _done(self) -> int:
        return 0 if self._io.closed else self._io.frames_done

    def read_available(self, out: Any = None) -> Any:
        """What is there now, without waiting: a new array of 0 or more frames, or into ``out``; gives the filled part.

        Starts the card if it was not. Else as ``read``.
        """
        array = self.blank(self._recovering(lambda: self._started().ready)) if out is None else self._target(out)
        self._begun = self._moved
        self._had = self._take_kept(array)
        try:
            self._moved += self._recovering(lambda: self._started().ring.read_into(array[self._had :]))
        except BaseException:
            self.keep(array[: self._had])
            raise
        return array[: self.frames_done]

    @property
    def ready(self) -> int:
        """Frames that can be read now without waiting."""
        return min(self._io.avail(), self.buffer_size) + (0 if self._kept is None else len(self._kept))

    def periods(self, count: int | None = None) -> Generator[_Array]:
        """Blocks of a period each, handed back to the card as the loop turns; ``count`` of them, or for ever.

        Each is a read-only view of the card's own memory where there is a ring and no conversion: copy what you keep.
        One that the loop was left in by ``break`` was not handed back: it is what is read next.
        """
        count = None if count is None else count_of("count", count)
        while count is None or count > 0:
            view = self._recovering(self.next_period)
            try:
                yield view
            except GeneratorExit:
                if self._staged:
                    self.keep(view)
                raise
            self._commit(view)
            count = count if count is None else count - 1

    def next_period(self) -> _Array:
        """A period, waited for: what ``periods`` gives. To be handed back. Recovers from nothing."""
        self._started()
        frames = self.period_size
        self._staged = True
        if self._kept is not None:
            kept: _Array = self.read(frames)
            return kept
        self._io.wait()
        if self.dtype == self.format.dtype:
            view = self._io.next_view(frames)
            if len(view) == frames:
                self._staged = False
                return view
        block = self.blank(frames)
        self._moved += self._io.fill(block)
        return block

    def hand_over(self, view: _Array) -> None:
        """Give back what ``next_period`` gave. Raises XrunError and SuspendedError: then it counts as lost."""
        if not self._staged:
            self._io.commit(len(view))
            self._moved += len(view)

    def _commit(self, view: _Array) -> None:
        try:
            self.hand_over(view)
        except (errors.XrunError, errors.SuspendedError):
            self._go_on()  # the card may have written over it while you looked

    def __iter__(self) -> Iterator[_Array]:
        """New arrays of a period each, yours to keep, until the stream is closed."""
        while not self.closed:
            yield self.read()

    def _started(self) -> Self:
        """Start the card if it was not; what slept before its start, and was recovered, is to be started after it."""
        if self._io.state == State.PREPARED:
            self._io.start()
        self.running()
        return self

    def _queued(self) -> int:
        return self._in_buffer() + (0 if self._kept is None else len(self._kept))

    def _in_buffer(self) -> int:
        if self.closed or self.state != State.RUNNING:
            return 0
        return min(self.buffer_size, max(0, self._io.position().frame - self._io.frame))

    def _finish(self) -> None:
        """What was captured and not read is let go: ``drop`` in close()."""
