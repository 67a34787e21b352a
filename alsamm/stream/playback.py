"""playback(): a stream of samples to a device."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from alsamm import errors
from alsamm.checks import count_of, seconds_of
from alsamm.enums import Format, State
from alsamm.samples import is_buffer
from alsamm.stream.aio import AsyncPlayback, Awaitable
from alsamm.stream.base import DeviceStream, Policy
from alsamm.stream.io import PlaybackIO, open_playback
from alsamm.stream.wishes import Wishes

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from alsamm.alsalib import PCM

__all__ = ["PlaybackStream", "playback"]

_Array = np.ndarray[Any, np.dtype[Any]]
_HOLDING = (State.RUNNING, State.PREPARED, State.PAUSED, State.DRAINING, State.XRUN, State.SUSPENDED)


def playback(
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
) -> PlaybackStream:
    """Open a device to play on: any name of ``aplay -L``. For ``with``, or ``async with``.

    A PCM of the kernel's own (``hw:…``) is reached through its memory, any other (``default``, ``plughw:…``,
    PipeWire's) by alsa-lib's calls; ``transport`` tells. What cannot be had is an error that says what could be; with
    ``nearest`` rate, channels and sizes may come out as the card has them. What was granted can be read from the
    stream.

    ``dtype``: what your arrays hold, by default int16; floats are 1.0 at full scale. ``format``: what the card is to be
    set to, by default what holds ``dtype`` best. Where they differ samples are converted on the way, as MmapPlayback
    says; ``dither`` too. ``format`` alone: arrays hold the card's own samples.

    ``buffer_size`` and ``period_size`` in frames; or ``latency``, the seconds of sound in the buffer, or what is
    nearest: ``"low"`` is 0.01, ``"high"`` 0.1. Without any of them it is ``"high"``; the buffer has four periods
    where nothing else is said.

    The card starts when the buffer is full, by ``start``, or by ``drain``. After an underrun it goes on with silence,
    a buffer less a period of it, and then with what is written next; what was played is not heard again. ``on_xrun``:
    ``"recover"``; ``"raise"``, Underrun and SuspendedError, after which ``recover`` goes on; or a function to be told
    each Interruption once it was recovered from, in the thread that made the call.

    ``force_sync_ptr``: do not map the status and control pages even where the kernel would let us (rules C2-C4), as on
    machines where it does not. UnsupportedError for a device that has no pages.

    Raises DeviceNotFoundError, DeviceBusyError, DeviceAccessError, ParameterError, ArgumentError, ArgumentTypeError.
    """
    wishes = Wishes(rate, channels, format, dtype, period_size, buffer_size, latency, nearest, dither, force_sync_ptr)
    pcm, io = open_playback(device, wishes)
    return PlaybackStream(pcm, io, on_xrun)


class PlaybackStream(DeviceStream, Awaitable[AsyncPlayback]):
    """What ``playback`` gives. See DeviceStream for what is granted, time, state and who must lock."""

    _async = AsyncPlayback

    def __init__(self, pcm: PCM, io: PlaybackIO, on_xrun: Policy) -> None:
        super().__init__(pcm, io, on_xrun)
        self._io: PlaybackIO = io
        geometry = io.geometry
        io.refill = geometry.buffer_size - geometry.period_size
        self._begun = 0  # frames before the last write
        self._silence = (0, 0)  # the numbers of the silence that was written last
        self._shown = 0  # the number of the first frame of the view that is out

    @property
    def ring(self) -> PlaybackIO:
        """What the stream stands on: an MmapPlayback where there is a ring. It is the stream's: do not close it."""
        return self._io

    def write(self, samples: Any, timeout: float | None = None) -> int:
        """Write every frame, waiting for room without the GIL; gives how many, which is all.

        ``samples``: an array of ``dtype``, shape (frames, channels), or (frames,) for mono, any strides; a buffer; or
        an iterable of such blocks, written one after the other as they come.

        ``timeout``: seconds for all of it; without one the card may stand still for a buffer and a second. Raises
        TimeoutError then, and ``frames_done`` tells how many were written; ArgumentError, ArgumentTypeError;
        StateError after ``drain`` or ``drop``, until ``prepare``; ClosedError; DeviceLostError.
        """
        self._begun = self._moved
        if isinstance(samples, np.ndarray) or is_buffer(samples) or not isinstance(samples, Iterable):
            return self._write(samples, timeout)
        end = None if timeout is None else time.monotonic() + seconds_of(timeout)
        for block in samples:
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                raise TimeoutError(f"{self.device}: not in {timeout} s; {self.frames_done} frames are done")
            self._write(block, left)
        return self.frames_done

    @property
    def frames_done(self) -> int:
        """How many frames the last ``write`` wrote, whatever ended it."""
        return self._moved - self._begun

    def _write(self, samples: Any, timeout: float | None) -> int:
        io = self._io
        if self._started_ns is None:
            self._started_ns = time.monotonic_ns()
        try:
            return io.write_all(samples, timeout, recover=self.recovers)
        except errors.StateError:
            self._require_prepared()
            raise
        finally:
            if not io.closed:
                self._moved += io.frames_done

    def _require_prepared(self) -> None:
        if self.state in (State.SETUP, State.DRAINING):
            raise errors.StateError(f"{self.device}: stopped, by drain() or drop(); prepare() makes it ready again")

    def write_available(self, samples: Any) -> int:
        """Write as many frames as there is room for, without waiting; gives how many. Else as ``write``."""
        self._begun = self._moved
        written = self._recovering(lambda: self._io.write(samples))
        self._moved += written
        self.running()
        return written

    @property
    def room(self) -> int:
        """Frames that can be written now without waiting."""
        return min(self._io.avail(), self.buffer_size)

    @contextmanager
    def reserve(self, frames: int) -> Generator[_Array]:
        """The next ``frames`` of the buffer, to be filled in ``with``: committed on leaving, but not by an exception.

        A view of the card's own memory where there is a ring and no conversion; else an array that is written when you
        leave. Fewer where there is less room now, or where the ring ends. Never waits.
        """
        frames = count_of("frames", frames)
        view = self._recovering(lambda: self._view(frames, whole=False))
        yield view
        self._commit(view)

    def periods(self, count: int | None = None) -> Generator[_Array]:
        """Blocks of a period each, to be filled: committed as the loop turns; ``count`` of them, or for ever.

        Each is a view of the card's own memory where there is a ring and no conversion, so fill it before the next
        turn. One that the loop was left in, by ``break`` or an exception, is not committed. One that comes after an
        xrun is lost, and counted in ``stats``.
        """
        count = None if count is None else count_of("count", count)
        while count is None or count > 0:
            view = self._recovering(self.next_period)
            yield view
            self._commit(view)
            count = count if count is None else count - 1

    def wait(self, timeout: float | None = None) -> None:
        """As DeviceStream.wait. Starts a card that waits for more than there is room for."""
        self._recovering(self._start_if_stuck)
        super().wait(timeout)

    def _start_if_stuck(self) -> None:
        if self._io.state == State.PREPARED and self._io.avail() < self.period_size:
            self._io.start()

    def next_period(self) -> _Array:
        """Room for a period, waited for: what ``periods`` gives. To be handed over. Recovers from nothing."""
        self._start_if_stuck()
        self._io.wait()
        self.running()
        return self._view(self.period_size, whole=True)

    def _view(self, frames: int, *, whole: bool) -> _Array:
        """Room for ``frames``: in the ring, where it lies there in one piece and needs no conversion."""
        self._shown = self._io.frame
        self._staged = self.dtype != self.format.dtype
        if not self._staged:
            view = self._io.next_view(frames)
            if len(view) == frames or not whole:
                return view
            self._staged = True
        room = frames if whole else min(frames, self.room)
        return np.zeros((room, self.channels, *self.dtype.shape), self.dtype.base)

    def _commit(self, view: _Array) -> None:
        try:
            self.hand_over(view)
        except (errors.XrunError, errors.SuspendedError):
            self._go_on()
        self.running()

    def hand_over(self, view: _Array) -> None:
        """Commit what ``next_period`` gave, once it is filled. Raises XrunError and SuspendedError: then it is lost.

        It cannot be written again: what the card has passed the kernel has silenced (rule J1). Raises StateError where
        something else was written in between.
        """
        if self._io.frame != self._shown and self._io.state in (State.RUNNING, State.PREPARED):
            raise errors.StateError(f"{self.device}: something was written while the block was out; it is not")
        self._moved += len(view)
        done = 0
        try:
            if self._staged:
                done = self._io.write(view)
            else:
                self._io.commit(len(view))
                done = len(view)
        finally:
            self._dropped += len(view) - done

    def lose(self, view: _Array) -> None:
        """Count what ``next_period`` gave, and an interruption has taken before it could be handed over."""
        self._moved += len(view)
        self._dropped += len(view)

    def drain(self, timeout: float | None = None) -> None:
        """Play what was written to its end, then stop.

        ``timeout``: seconds for which the card may stand still; None is a buffer's time and a second. Raises
        TimeoutError then; Underrun where it was too late already, unless it is to be recovered from.
        """
        if self._io.state == State.PREPARED and (queued := self.buffer_size - self._io.avail()):
            self.commit_silence(self.period_size - queued)  # rule P16: less than a packet USB cards never play
        self._recovering(lambda: self._io.drain(timeout))

    def commit_silence(self, frames: int) -> None:
        """Write so many frames of silence, for which there must be room: numbered, but none of yours."""
        silence = np.frombuffer(self.format.silence, self.format.dtype.base)  # one sample; packed, its three bytes
        begin = self._io.frame
        while frames > 0:
            view = self._io.next_view(frames)
            if not len(view):
                raise errors.ArgumentError(f"{self.device}: there is no room for {frames} frames more of silence")
            view[...] = silence
            self._io.commit(len(view))
            frames -= len(view)
        self._silence = (begin, self._io.frame)

    def _in_buffer(self) -> int:
        """The silence at its beginning is not yours."""
        if self.closed or self.state not in _HOLDING:
            return 0
        first, end = self._io.position().frame, self._io.frame
        silences = {self._silence, *((what.resumed, what.resumed + what.silence) for what in self.interruptions[-1:])}
        silent = sum(max(0, min(end, b) - max(first, a)) for a, b in silences)
        return max(0, min(self.buffer_size, end - first) - silent)

    def _finish(self) -> None:
        if self._io.state in _HOLDING and self._io.state != State.PAUSED:
            self.drain()
