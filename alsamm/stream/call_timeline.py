"""CallTimeline: a PCM's frames counted for ever, also where the card begins anew, by alsa-lib's own calls."""

from __future__ import annotations

import errno
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

from alsamm import errors
from alsamm.account import Interruption, Position
from alsamm.alsalib.road import default_timeout
from alsamm.checks import seconds_of, time_of
from alsamm.enums import State

if TYPE_CHECKING:
    from alsamm.alsalib import PCM
    from alsamm.alsalib.status import PcmStatus
    from alsamm.device import Geometry

__all__ = ["MOVING", "NAP", "CallTimeline", "closable"]

_P = ParamSpec("_P")
_R = TypeVar("_R")
_IO = TypeVar("_IO", bound="CallTimeline")

MOVING = (State.RUNNING, State.DRAINING)
NAP = 0.01
"""Seconds of a sleep that nothing ends."""
_STOPPED = (State.XRUN, State.SUSPENDED)
_SPIN_NS = 200_000  # a sleep ends that late at the most, as a rule; the rest is waited for awake
_AT_ONCE_NS = 50_000_000  # so long Ctrl-C may take


def closable(call: Callable[Concatenate[_IO, _P], _R]) -> Callable[Concatenate[_IO, _P], _R]:
    """What ends the call because another thread closes meanwhile is told as ClosedError, whatever alsa-lib calls it."""

    @wraps(call)
    def called(self: _IO, /, *arguments: _P.args, **options: _P.kwargs) -> _R:
        try:
            return call(self, *arguments, **options)
        except errors.AlsaError:
            self._require_open()
            raise

    return called


class CallTimeline:
    """Numbers a stream's frames, over snd_pcm_prepare and xruns, as TimelineIO does a ring's; CallIO is built on it.

    Synchronization: as CallIO.
    """

    on_interruption: Callable[[Interruption], None] | None = None
    """Called after each recovery, from the call in which it happened; an exception of its own ends that call."""
    _geometry: Geometry

    def __init__(self) -> None:
        self._frame = 0
        self._position = Position(0, 0)
        self._refill = 0
        self._interruptions: deque[Interruption] = deque(maxlen=16)
        self.xruns = 0
        """How many xruns were recovered from."""
        self.suspends = 0
        """How many suspends were recovered from."""
        self.lost = 0
        """Frames that all interruptions together lost; see Interruption.lost."""
        self.waited_ns = 0
        """Nanoseconds that the calls slept, all together."""
        self.longest_wait_ns = 0
        """Nanoseconds of the longest sleep."""
        self.latest = 0
        """The most frames by which a call that waits found more than ``avail_min``: how late it ever looked."""

    # ---- where it is ----

    @property
    def frame(self) -> int:
        """The number in the stream of the next frame to be written or read: 0 at first, and it never goes back.

        Frames that were lost count, and so does the silence that a recovery began anew with.
        """
        return self._frame

    @closable
    def position(self) -> Position:
        """The frame that the card is at, and when it was there (snd_pcm_status: avail and htstamp).

        It never goes back, though the answers of plugins may: then it is the last one again. While frames move the time
        is alsa-lib's stamp; where that is not of CLOCK_MONOTONIC, or old, and while nothing moves, it is that of the
        call. Synchronization: any thread.
        """
        frame = self._passed  # first: what its owner moves meanwhile makes it too low, and never too high
        before = time.monotonic_ns()
        status = self._pcm.status()
        after = time.monotonic_ns()
        stamp = status.tstamp_ns
        buffer_ns = self._geometry.buffer_size * 1_000_000_000 // self._geometry.rate
        if status.state not in MOVING or not before - buffer_ns <= stamp <= after:
            stamp = (before + after) // 2
        now, last = Position(max(0, frame + self._ahead(status)), stamp), self._position
        if now.frame < last.frame or now.time_ns < last.time_ns:
            return last
        self._position = now
        return now

    @property
    def _passed(self) -> int:
        """The number of the next frame to go through alsa-lib; of a capture some may have been read ahead."""
        raise NotImplementedError

    def _ahead(self, status: PcmStatus) -> int:
        """Frames from ``_passed`` to where the card is: below 0 while frames are queued to be played."""
        raise NotImplementedError

    def _forget(self) -> None:
        """What was read ahead is not to be had any more, but counts."""
        self._frame = self._passed

    # ---- beginning, and beginning anew ----

    @closable
    def prepare(self) -> None:
        """Make ready to start; what was not played or read is lost (snd_pcm_prepare)."""
        ahead = self._ahead(self._pcm.status())
        self._pcm.prepare()
        self._forget()
        self._frame += max(0, ahead)

    @closable
    def start(self) -> None:
        """Start (snd_pcm_start). Raises StateError outside PREPARED, Underrun with nothing to play."""
        self._pcm.start()

    @closable
    def start_at(self, time_ns: int) -> int:
        """Start at a time of CLOCK_MONOTONIC, as exactly as the machine allows; gives when the card was triggered.

        Sleeps until shortly before, then watches the clock. A time that is past starts at once. Where the PCM does not
        tell when it was triggered, it is the time of the call. Raises as ``start``.
        """
        time_ns = time_of("time_ns", time_ns)
        pcm = self._pcm
        while (left := time_ns - _SPIN_NS - time.monotonic_ns()) > 0:
            time.sleep(min(left, _AT_ONCE_NS) / 1e9)
        while time.monotonic_ns() < time_ns:
            pass
        before = time.monotonic_ns()
        pcm.start()
        return _within(before, pcm.status().trigger_tstamp_ns, before)

    # ---- interruptions ----

    @property
    def refill(self) -> int:
        """Frames of silence that a playback begins anew with after an xrun; 0: it waits for what is written."""
        return self._refill

    @refill.setter
    def refill(self, frames: int) -> None:
        if not 0 <= frames <= self._geometry.buffer_size:
            raise errors.ArgumentError(f"refill {frames}: 0 to {self._geometry.buffer_size} frames, the buffer")
        self._refill = frames

    @property
    def interruptions(self) -> list[Interruption]:
        """The last sixteen, the oldest first."""
        return list(self._interruptions)

    @closable
    def recover(self, timeout: float | None = None) -> None:
        """Go on after an xrun or a suspend: resume, or prepare, refill with ``refill`` frames of silence and start.

        What was lost is told in ``interruptions``. A playback without ``refill`` starts with what is written next.
        ``timeout``, seconds, is for a system that is still asleep; None is one buffer and a second. Raises
        SuspendedError then, StateError where there is nothing to recover from, DeviceLostError.
        """
        pcm = self._pcm
        noticed = time.monotonic_ns()
        was = pcm.status()
        if was.state not in _STOPPED and not self._goes_on_in_an_xrun():
            raise errors.StateError(f"{pcm.name}: there is nothing to recover from in state {was.state}")
        suspended = was.state is State.SUSPENDED
        stopped = _within(1, was.trigger_tstamp_ns, noticed) if was.state in _STOPPED else noticed
        first = resumed = self._frame
        lost = silence = 0
        if not (suspended and self._resumed(timeout)):
            lost = self._unmoved(was)
            first = self._first_lost(lost)
            if was.state not in _STOPPED:
                pcm.drop()
            self.prepare()
            resumed = self._frame
            silence = self._begin_anew()
        self.suspends += suspended
        self.xruns += not suspended
        self.lost += lost
        self._tell(
            Interruption(
                kind="suspend" if suspended else "xrun",
                time_ns=stopped,
                frame=first,
                resumed=resumed,
                lost=lost,
                silence=silence,
                gap_ns=_within(stopped, pcm.status().trigger_tstamp_ns, stopped) - stopped,
            )
        )

    def _tell(self, interruption: Interruption) -> None:
        self._interruptions.append(interruption)
        if self.on_interruption is not None:
            self.on_interruption(interruption)

    def _goes_on_in_an_xrun(self) -> bool:
        """Whether the stream runs in spite of one (stop_threshold), or a plugin says that it runs and gives EPIPE."""
        raise NotImplementedError

    def _resumed(self, timeout: float | None) -> bool:
        """Whether it could be resumed; EAGAIN is to be asked again (rule L7)."""
        end = time.monotonic() + (default_timeout(self._geometry) if timeout is None else seconds_of(timeout))
        while True:
            with suppress(errors.WouldBlockError):
                try:
                    self._pcm.resume()
                except errors.UnsupportedError:
                    return False
                return True
            if time.monotonic() >= end:
                message = "the system is still asleep"
                raise errors.SuspendedError(errno.ESTRPIPE, message, "snd_pcm_resume", self._pcm.name)
            self._nap(NAP)

    def _unmoved(self, status: PcmStatus) -> int:
        """Frames committed and not played, or captured and not read."""
        raise NotImplementedError

    def _first_lost(self, lost: int) -> int:
        """The number of the first of so many."""
        raise NotImplementedError

    def _begin_anew(self) -> int:
        """Start after prepare(), if there is something to start with; gives the frames of silence."""
        raise NotImplementedError

    # ---- sleeping ----

    def _nap(self, seconds: float) -> None:
        began = time.monotonic_ns()
        time.sleep(seconds)
        self._slept_since(began)

    def _slept_since(self, began: int) -> None:
        slept = time.monotonic_ns() - began
        self.waited_ns += slept
        self.longest_wait_ns = max(self.longest_wait_ns, slept)

    @property
    def _pcm(self) -> PCM:
        """The PCM. Raises ClosedError."""
        raise NotImplementedError

    def _require_open(self) -> None:
        raise NotImplementedError


def _within(least: int, stamp: int, otherwise: int) -> int:
    """A timestamp of CLOCK_MONOTONIC, from ``least`` to now: plugins give none (0), or one of another clock."""
    return stamp if least <= stamp <= time.monotonic_ns() else otherwise
