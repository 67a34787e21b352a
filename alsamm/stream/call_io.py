"""What CallPlayback and CallCapture share: a PCM whose samples go through alsa-lib's own calls."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np

from alsamm import errors
from alsamm.alsalib.road import default_timeout
from alsamm.checks import seconds_of
from alsamm.direct.block_io import is_array, require_target, require_unmasked
from alsamm.enums import Access, Direction, State
from alsamm.samples import as_frames
from alsamm.stream.call_timeline import NAP, CallTimeline, closable
from alsamm.stream.staging import Staging

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from alsamm.alsalib import PCM
    from alsamm.device import Geometry

__all__ = ["TRANSPORT", "CallIO"]

_Array = np.ndarray[Any, np.dtype[Any]]

TRANSPORT: Final = "alsa-lib"
"""What a CallIO says where an MmapIO tells how it reaches the kernel's pages."""


class CallIO(CallTimeline):
    """What playback and capture share: MmapIO's face for PCMs that cannot be mapped (plughw, default, null, …).

    Samples go by snd_pcm_writei and snd_pcm_readi, never more than snd_pcm_avail tells, so no transfer sleeps; who is
    to wait sleeps in snd_pcm_wait without the GIL. The PCM stays open.

    ``pcm`` must be non-blocking and configured for RW_INTERLEAVED, by whatever road it goes; it must not be used for
    anything else meanwhile. ``dtype`` and ``dither`` are MmapIO's.

    Errors throughout: Underrun or Overrun in an xrun; SuspendedError; DeviceLostError; StateError where the state does
    not allow the call; ClosedError.

    Raises ArgumentTypeError for another dtype, ArgumentError for dither where it has no use; UnsupportedError for the
    other direction, another access, a blocking PCM and a format that numpy has no type for; StateError before
    ``configure``.

    Synchronization: one owner at a time; ``position`` and the counts may be read from any thread.
    """

    _DIRECTION: ClassVar[Direction]

    def __init__(self, pcm: PCM, *, dtype: DTypeLike | None = None, dither: bool = False) -> None:
        super().__init__()
        self._closed = False
        self._device = pcm
        name = type(self).__name__
        if pcm.direction is not self._DIRECTION:
            raise errors.UnsupportedError(f"{pcm.name} is a {pcm.direction} PCM; {name} needs a {self._DIRECTION} one")
        self._geometry = geometry = pcm.geometry()
        if geometry.access is not Access.RW_INTERLEAVED:
            raise errors.UnsupportedError(
                f"{pcm.name} is configured for {geometry.access.name}; {name} needs RW_INTERLEAVED"
            )
        if pcm.blocking:
            raise errors.UnsupportedError(f"{pcm.name} is blocking; {name} needs PCM(…, blocking=False)")
        self._avail_min = pcm.sw_params().avail_min
        capture = self._DIRECTION is Direction.CAPTURE
        self._staging = Staging(geometry, dtype, dither=dither, capture=capture)
        self._done = 0

    # ---- what it is ----

    @property
    def device(self) -> PCM:
        """The PCM."""
        return self._device

    @property
    def geometry(self) -> Geometry:
        """Format, rate, sizes and thresholds."""
        if not self._device.closed:
            self._look_at_parameters()
        return self._geometry

    @property
    def transport(self) -> str:
        """``alsa-lib``."""
        return TRANSPORT

    @property
    def dtype(self) -> np.dtype[Any]:
        """The numpy type of the samples in the arrays to hand over; packed samples are three ``u1``."""
        return self._staging.held.dtype

    @property
    def buffer_size(self) -> int:
        """The buffer's size in frames."""
        return self._geometry.buffer_size

    @property
    def period_size(self) -> int:
        """Frames between two times that the card is served."""
        return self._geometry.period_size

    @property
    def channels(self) -> int:
        """Samples in a frame."""
        return self._geometry.channels

    @property
    def state(self) -> State:
        """What the PCM is doing (snd_pcm_state)."""
        return self._pcm.state

    @property
    def frames_done(self) -> int:
        """How many frames the last write or read moved, whatever ended it: also an exception, also Ctrl-C."""
        return self._done

    # ---- moving samples ----

    @closable
    def avail(self) -> int:
        """Frames that can be written or read now, as the card says (snd_pcm_avail).

        More than ``buffer_size`` means late by the difference (rule E3).
        """
        return max(0, self._pcm.avail())

    @closable
    def wait(self, timeout: float | None = None) -> None:
        """Sleep until avail_min frames can be moved (snd_pcm_wait). ``timeout`` in seconds; None is a buffer and one.

        Raises TimeoutError; StateError for a capture that was not started (it would never wake, rule I5).
        """
        limit = default_timeout(self._geometry) if timeout is None else seconds_of(timeout)
        self._look_at_parameters()
        if self.avail() < self._avail_min:  # snd_pcm_wait's time may be over before it looks
            began = time.monotonic_ns()
            try:
                self._pcm.wait(limit)
            finally:
                self._slept_since(began)
        if self.state is State.RUNNING:
            self.latest = max(self.latest, self.avail() - self._avail_min)

    def next_view(self, frames: int) -> _Array:
        """The next up to ``frames`` frames, of the PCM's own samples whatever ``dtype`` is, to be committed."""
        raise NotImplementedError

    def commit(self, frames: int) -> None:
        """Hand over ``frames`` of the last view's."""
        raise NotImplementedError

    def _shown(self, frames: int) -> int:
        """A number of frames that can be committed. Raises ArgumentError for another."""
        there = self._staging.frames
        if not 0 <= frames <= there:
            raise errors.ArgumentError(
                f"{self._label}: commit of {frames} frames; 0 to {there} can be committed now, the last view's"
            )
        return frames

    def _block(self, samples: Any, *, target: bool = False) -> _Array:
        """The caller's array or buffer as (frames, channels), packed samples with a last axis of three; never a copy.

        Raises as MmapIO's calls do.
        """
        self._done = 0
        self._require_open()
        if is_array(samples):
            require_unmasked(samples)
        held = self._staging.held
        array = as_frames(samples, held, self.channels)
        if target:
            require_target(array)
        return array if array.ndim == 2 + len(held.dtype.shape) else array[:, np.newaxis]

    def _move(self, block: _Array) -> int:
        """Move what can be moved of the block from frame _done on, without waiting; gives how many frames that were."""
        raise NotImplementedError

    def _unstarted(self, done: str) -> None:
        """A PREPARED stream has nothing to move: start it, or raise StateError."""
        raise NotImplementedError

    @closable
    def _all(self, block: _Array, timeout: float | None, *, recover: bool) -> int:
        """Move every frame, waiting as long as the card moves, and no longer than the timeout."""
        limit = None if timeout is None else time.monotonic() + seconds_of(timeout)
        moved_at = time.monotonic()
        woken = recovered = False
        while True:
            # Before the card is asked: whoever is stopped, or asleep, between that and now has not waited in vain.
            asked_at = time.monotonic()
            try:
                if moved := self._move(block):
                    moved_at, recovered = time.monotonic(), False
                if self._done == len(block):
                    self._require_open()  # what is in a PCM that was stopped is not written
                    return len(block)
                if self.state is State.PREPARED:
                    if moved:
                        continue
                    self._unstarted(self._progress(block))
                    moved_at = asked_at = time.monotonic()
                left = self._time_left(block, timeout, limit, moved_at, asked_at)
                if woken and not moved:
                    woken = False
                    # Plugins say by poll that they are ready when they are not: never spin.
                    self._nap(min(left, NAP, self.period_size / self._geometry.rate / 2))
                else:
                    woken = True
                    with suppress(TimeoutError):  # _time_left knows better which
                        self.wait(left)
            except (errors.XrunError, errors.SuspendedError):
                if not recover:
                    raise
                if not recovered:  # a card that stops again before anything moved stands still
                    moved_at, recovered = time.monotonic(), True
                self.recover(self._time_left(block, timeout, limit, moved_at, asked_at))
                woken = False

    def _progress(self, block: _Array) -> str:
        return f"{self._done} of {len(block)} frames are done"

    def _time_left(
        self, block: _Array, timeout: float | None, limit: float | None, moved_at: float, now: float
    ) -> float:
        if limit is not None and now >= limit:
            raise TimeoutError(f"{self._label}: not in {timeout} s; {self._progress(block)}")
        patience = moved_at + default_timeout(self._geometry) - now
        if patience <= 0:
            raise TimeoutError(f"{self._label}: the card stands still; {self._progress(block)}")
        return patience if limit is None else min(patience, limit - now)

    @closable
    def delay(self) -> int:
        """Frames between what is written or read next and the speaker or microphone (snd_pcm_delay, rule H5)."""
        return self._pcm.delay()

    # ---- state ----

    @closable
    def hwsync(self) -> None:
        """Ask the card where it is (snd_pcm_hwsync). May itself find the xrun."""
        self._pcm.hwsync()

    @closable
    def drop(self) -> None:
        """Stop at once; what was not played or read yet is lost (snd_pcm_drop)."""
        self._pcm.drop()
        self._forget()

    def drain(self, timeout: float | None = None) -> None:
        """Play what is committed, then stop; for capture see CallCapture."""
        raise NotImplementedError

    @closable
    def pause(self, enable: bool = True) -> None:
        """Hold or go on (snd_pcm_pause). Raises UnsupportedError where that cannot be (HwParams.can_pause)."""
        self._pcm.pause(enable)

    # ---- lifetime ----

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called, the PCM was closed, or this process was forked from the owner's."""
        return self._closed or self._device.closed

    def close(self, *, drop: bool = False) -> None:
        """Let go of the PCM, which stays open and as it is, or with ``drop`` is stopped. Twice is harmless."""
        stops = drop and not self.closed
        self._closed = True  # before it stops, which wakes who waits
        if stops:
            with suppress(errors.AlsaError):  # it may be gone
                self._device.drop()

    # ---- helpers ----

    def _look_at_parameters(self) -> None:
        """The software parameters may have been changed; the geometry is another object then."""
        if (geometry := self._device.geometry()) is not self._geometry:
            self._geometry = geometry
            self._avail_min = self._device.sw_params().avail_min

    @property
    def _pcm(self) -> PCM:
        self._require_open()
        return self._device

    @property
    def _label(self) -> str:
        return self._device.name

    def _require_open(self) -> None:
        if self.closed:
            raise errors.ClosedError(f"{type(self).__name__} of {self._label}: closed")
