"""HeldPair: playback and capture on two cards, held together by resampling what is heard."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from alsamm import errors
from alsamm.stream.pair import Pair, Turn
from alsamm.stream.resample import DriftResampler, Hold

if TYPE_CHECKING:
    from alsamm.stream.capture import CaptureStream
    from alsamm.stream.playback import PlaybackStream

__all__ = ["HeldPair"]

_Array = np.ndarray[Any, np.dtype[Any]]


class HeldPair(Pair):
    """The playback's clock leads: what is captured is resampled to it, so that neither ever runs over or dry.

    Captured frames are numbered as they come out of the resampler. Needs soxr, and a dtype that it takes.

    Synchronization: as DuplexStream.
    """

    def __init__(self, out: PlaybackStream, mic: CaptureStream) -> None:
        super().__init__(out, mic, link=False)
        self._resampler = DriftResampler(mic.channels, mic.dtype)
        self._hold = Hold(self.lead, rate=out.rate)
        self._made = self._taken = 0
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._resampler.restart()
        self._hold.restart()
        self._fifo: _Array = np.empty((0, self._mic.channels), self._mic.dtype)
        self._made = self._taken

    def _turn(self) -> Turn:
        """A period's worth of what was captured, and room for one; what is not handed over is there the next time."""
        self.start()
        while len(self._fifo) < self._mic.period_size:
            self._take_in()
        played = self._out.next_period()
        self._ahead = self._out.ring.frame - self._taken
        return Turn(self._fifo[: self._mic.period_size], played, self._taken)

    def recover(self, timeout: float | None = None) -> None:
        """Both begin anew, and so does what is between them."""
        super().recover(timeout)
        self._begin_anew()

    def _take_in(self) -> None:
        view = self._mic.next_period()
        made = self._resampler.process(np.ascontiguousarray(view))
        self._mic.hand_over(view)
        self._fifo = np.concatenate([self._fifo, made])
        self._made += len(made)
        self._out.time()
        self._mic.time()
        self._hold.expect(self._mic.clock, self._out.clock)
        now = time.monotonic_ns()
        queued = self._out.frame - self._out.clock.frame_at(now)
        self._resampler.ratio = self._hold.update(queued + len(self._fifo) + self._unread(now), now)

    def _unread(self, now: int) -> float:
        """Frames that will be made of what was captured by now and is not read yet."""
        return (self._mic.clock.frame_at(now) - self._mic.frame) / self._resampler.ratio

    def done(self, turn: Turn) -> None:
        """Hand over what is to be played. A turn that is interrupted is lost."""
        try:
            self._out.hand_over(turn.played)
        except (errors.XrunError, errors.SuspendedError):
            self._go_on()
        else:
            self._fifo = self._fifo[len(turn.heard) :]
            self._taken += len(turn.heard)

    @property
    def offset(self) -> int:
        """See DuplexStream."""
        now = time.monotonic_ns()
        heard_now = self._made + self._unread(now) + self._resampler.delay
        return self._ahead + round(heard_now - self._out.frame_at(now))
