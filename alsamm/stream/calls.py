"""CallPlayback and CallCapture: samples through alsa-lib's own calls, for PCMs that cannot be mapped."""

from __future__ import annotations

import errno
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from alsamm import errors
from alsamm.alsalib.road import default_timeout
from alsamm.checks import count_of, seconds_of
from alsamm.enums import Direction, State
from alsamm.stream.call_io import CallIO
from alsamm.stream.call_timeline import MOVING, NAP, closable

if TYPE_CHECKING:
    from alsamm.alsalib import PCM
    from alsamm.alsalib.status import PcmStatus

__all__ = ["CallCapture", "CallPlayback"]

_Array = np.ndarray[Any, np.dtype[Any]]


class CallPlayback(CallIO):
    """Write to a playback PCM by snd_pcm_writei. See CallIO for construction, lifetime and what capture shares.

    Synchronization: one owner at a time.
    """

    _DIRECTION = Direction.PLAYBACK

    @closable
    def write(self, samples: Any) -> int:
        """Write samples; gives the frames written, which is as many as there is room for. Never waits.

        ``samples`` is an array of ``dtype``, shape (frames, channels) or (frames,) for mono, any strides; or any
        buffer. Starts the stream at start_threshold, as snd_pcm_writei does.

        Raises ArgumentTypeError and ArgumentError for what does not fit; else as CallIO.
        """
        return self._move(self._block(samples))

    def write_all(self, samples: Any, timeout: float | None = None, *, recover: bool = False) -> int:
        """Write every frame, waiting for room. ``samples`` as ``write`` takes them.

        Gives the number of frames, which is all; ``frames_done`` tells it when an exception ends the call.

        ``timeout``: seconds for all of it. Without one, and within one, the card may stand still for a buffer and a
        second. With ``recover`` an underrun does not end the call: see ``recover()``.

        Raises TimeoutError; StateError when the buffer is full and start_threshold is more than that; else as
        ``write``.
        """
        return self._all(self._block(samples), timeout, recover=recover)

    @closable
    def next_view(self, frames: int) -> _Array:
        """Room for up to ``frames`` frames of the PCM's own samples: shape (n, channels), packed (n, channels, 3).

        As many as there is room for, and no more than a period. What is in it is of no meaning. It is ours until the
        next call that writes; nothing is heard before ``commit``.

        Raises ArgumentError for a negative count; else as CallIO.
        """
        staging = self._staging
        staging.forget()
        staging.last = min(count_of("frames", frames), self.avail(), len(staging.array))
        return staging.array[: staging.last]

    @closable
    def commit(self, frames: int) -> None:
        """Write ``frames`` of the last view, from its beginning, or from where the last commit ended.

        Raises ArgumentError for a negative count or more than the view has left; WouldBlockError if alsa-lib does not
        take them after all (what it took is told by ``frame``, the rest can be committed again); else as CallIO.
        """
        staging = self._staging
        pcm = self._pcm
        end = staging.first + self._shown(frames)
        while staging.first < end:
            if not (wrote := pcm.writei(staging.array[staging.first : end])):
                raise errors.WouldBlockError(errno.EAGAIN, "no room for what was shown", "snd_pcm_writei", self._label)
            staging.first += wrote
            self._frame += wrote

    @closable
    def drain(self, timeout: float | None = None) -> None:
        """Play what was written, then stop (snd_pcm_drain). A stream that was not started is.

        ``timeout``: seconds for which the card may stand still; None is one buffer and a second. Raises TimeoutError
        then; else as CallIO.
        """
        patience = default_timeout(self._geometry) if timeout is None else seconds_of(timeout)
        self._drain(self._pcm, patience)
        self._require_open()  # else it was the close that ended it

    def _drain(self, pcm: PCM, patience: float) -> None:
        if pcm.state in (State.XRUN, State.SUSPENDED):  # of which snd_pcm_drain says nothing (rule G)
            pcm.avail()
        place, moved_at = -1, time.monotonic()
        while True:
            with suppress(errors.WouldBlockError):  # it drains (rule J4); a rate plugin says so before it does
                pcm.drain()
                return
            if pcm.state is State.SETUP:
                return
            now = time.monotonic()
            if (left := pcm.status().delay) != place:
                place, moved_at = left, now
            if now - moved_at >= patience:
                raise TimeoutError(f"{self._label}: the card stood still while draining")
            began = time.monotonic()
            with suppress(TimeoutError, errors.AlsaError):  # drain() says it
                pcm.wait(min(NAP, moved_at + patience - now))
            if self.state is not State.SETUP and time.monotonic() - began < NAP / 2:  # plugins' poll may not know of it
                self._nap(min(NAP, patience))

    def _move(self, block: _Array) -> int:
        # snd_pcm_writei answers EAGAIN to more than avail while that is below avail_min, whatever room there is.
        room = min(self.avail(), self.buffer_size, len(block) - self._done)
        moved = 0
        while moved < room:
            own = self._staging.put(block[self._done : self._done + room - moved], self._frame)
            try:
                wrote = self._pcm.writei(own)
            except errors.WouldBlockError:
                break
            except errors.AlsaError:
                if moved:
                    break  # the next call says it
                raise
            moved += wrote
            self._done += wrote
            self._frame += wrote
            if wrote < len(own):
                break
        return moved

    def _unstarted(self, done: str) -> None:
        threshold = self.geometry.start_threshold
        raise errors.StateError(
            f"{self._label}: the buffer is full and was not started, for start_threshold is {threshold}; {done}"
        )

    @property
    def _passed(self) -> int:
        return self._frame

    def _ahead(self, status: PcmStatus) -> int:
        return status.avail - self.buffer_size

    def _unmoved(self, status: PcmStatus) -> int:
        return min(self._frame, max(0, self.buffer_size - status.avail))

    def _first_lost(self, lost: int) -> int:
        return self._frame - lost

    def _goes_on_in_an_xrun(self) -> bool:
        if self.state not in MOVING:
            return False
        try:
            self._pcm.avail()
        except errors.XrunError:
            return True
        return False

    def _begin_anew(self) -> int:
        pcm = self._pcm
        if not self.refill:
            return 0
        silent = pcm.writei(self._geometry.format.silence * (self.refill * self.channels))
        self._frame += silent
        if pcm.state is State.PREPARED:
            pcm.start()
        return silent


class CallCapture(CallIO):
    """Read from a capture PCM by snd_pcm_readi. See CallIO for construction, lifetime and what playback shares.

    Synchronization: one owner at a time.
    """

    _DIRECTION = Direction.CAPTURE

    @closable
    def read_into(self, out: Any) -> int:
        """Copy captured frames into ``out``; gives the frames read, which may be 0. Never waits and never starts.

        ``out`` is an array of ``dtype``, shape (frames, channels) or (frames,) for mono, or any writable buffer.
        Samples of 18 to 24 bits in four bytes are sign-extended (rule F6).

        Raises Overrun also where the card goes on in one (stop_threshold at the boundary): see ``recover``.
        ArgumentTypeError and ArgumentError for an array that does not fit; else as CallIO.
        """
        return self._move(self._block(out, target=True))

    def fill(self, out: Any, timeout: float | None = None, *, recover: bool = False) -> int:
        """Fill all of ``out``, waiting for the card. ``out`` as ``read_into`` takes it. Starts a PREPARED stream.

        Gives the number of frames, which is all; ``frames_done`` tells it when an exception ends the call.

        ``timeout``: seconds for all of it. Without one, and within one, the card may stand still for a buffer and a
        second. With ``recover`` an overrun does not end the call: what was captured and not read is lost, and the next
        frame is one that came after (``recover()``).

        Raises TimeoutError; StateError when a capture that was drained has no more; else as ``read_into``.
        """
        return self._all(self._block(out, target=True), timeout, recover=recover)

    def avail(self) -> int:
        """See CallIO; with those frames that were read ahead for a view."""
        ahead = self._staging.frames
        try:
            return ahead + super().avail()
        except errors.StateError:
            if not ahead:
                raise
            return ahead  # what drain() left

    def delay(self) -> int:
        """See CallIO."""
        return self._staging.frames + super().delay()

    @closable
    def next_view(self, frames: int) -> _Array:
        """Up to ``frames`` captured frames, of the PCM's own samples: shape (n, channels), packed (n, channels, 3).

        Read-only, and no more than a period; what was shown before and not committed comes first, by itself. They stay
        until ``commit``, and the view until the next call that reads. Never starts.

        Raises ArgumentError for a negative count; else as ``read_into``.
        """
        staging = self._staging
        self._require_open()
        if not staging.frames and (there := min(count_of("frames", frames), self._there(), len(staging.array))):
            staging.forget()
            staging.last = self._read(staging.array[:there])
        view = staging.array[staging.first : min(staging.last, staging.first + count_of("frames", frames))]
        view.flags.writeable = False
        return view

    @closable
    def commit(self, frames: int) -> None:
        """Have done with ``frames`` of the last view. The rest stays for next time.

        Raises ArgumentError for a negative count or more than was shown; ClosedError.
        """
        self._require_open()
        self._staging.first += self._shown(frames)
        self._frame += frames

    @closable
    def drain(self, timeout: float | None = None) -> None:
        """Stop capturing; what was captured can still be read, then the state is SETUP (snd_pcm_readi, snd_pcm_drop).

        Not by snd_pcm_drain: most PCMs let nobody read any more after it.
        """
        del timeout  # it does not wait
        with suppress(errors.XrunError, errors.SuspendedError, errors.StateError):
            self._keep_rest()
        self._pcm.drop()

    def _keep_rest(self) -> None:
        staging = self._staging
        rest = np.empty((min(self._there(), self.buffer_size), *staging.array.shape[1:]), staging.array.dtype)
        rest = rest[: self._read(rest)]
        staging.array = np.concatenate([staging.array[staging.first : staging.last], rest])
        staging.first, staging.last = 0, len(staging.array)

    def _there(self) -> int:
        """Frames that snd_pcm_readi will give; none before the start, so that it does not start."""
        there = self._pcm.avail()
        if there > self.buffer_size:
            message = f"the card overwrote {there - self.buffer_size} frames that were not read"
            raise errors.Overrun(errno.EPIPE, message, "snd_pcm_avail", self._label)
        return max(0, there)

    def _read(self, out: _Array) -> int:
        try:
            return len(self._pcm.readi(out)) if len(out) else 0
        except errors.WouldBlockError:
            return 0

    def _move(self, block: _Array) -> int:
        staging = self._staging
        moved = 0
        if ahead := min(staging.frames, len(block) - self._done):
            staging.give(staging.array[staging.first : staging.first + ahead], self._rest(block, ahead), self._frame)
            staging.first += ahead
            moved = self._moved(ahead)
        try:
            there = self._there() if self._done < len(block) else 0
            while there > 0 and self._done < len(block):
                part = self._rest(block, there)
                own = part if staging.takes_as_it_is(part) else staging.array[: min(len(part), staging.most)]
                if not (got := self._read(own)):
                    break
                target = part[:got]
                staging.give(target if own is part else own[:got], target, self._frame)
                moved += self._moved(got)
                there -= got
        except errors.AlsaError:
            if not moved:  # else the next call says it
                raise
        return moved

    def _rest(self, block: _Array, most: int) -> _Array:
        return block[self._done : min(len(block), self._done + most)]

    def _moved(self, frames: int) -> int:
        self._done += frames
        self._frame += frames
        return frames

    def _unstarted(self, done: str) -> None:
        del done
        self.start()

    @property
    def _passed(self) -> int:
        return self._frame + self._staging.frames

    def _ahead(self, status: PcmStatus) -> int:
        return max(0, status.avail)

    def _forget(self) -> None:
        super()._forget()
        self._staging.forget()

    def _unmoved(self, status: PcmStatus) -> int:
        return self._staging.frames + max(0, status.avail)

    def _first_lost(self, lost: int) -> int:
        del lost
        return self._frame

    def _goes_on_in_an_xrun(self) -> bool:
        if self.state not in MOVING:
            return False
        try:
            self._there()
        except errors.XrunError:
            return True
        return False

    def _begin_anew(self) -> int:
        self._pcm.start()
        return 0
