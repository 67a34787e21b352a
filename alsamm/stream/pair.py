"""Pair: playback and capture that start, stop, turn and begin anew together."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from alsamm import errors
from alsamm.direct import MmapCapture, MmapPlayback
from alsamm.enums import State

if TYPE_CHECKING:
    from alsamm.stream.capture import CaptureStream
    from alsamm.stream.playback import PlaybackStream

__all__ = ["Pair", "Turn"]

_Array = np.ndarray[Any, np.dtype[Any]]
_T = TypeVar("_T")


@dataclass(frozen=True)
class Turn:
    """A period of both."""

    heard: _Array
    played: _Array
    number: int
    """Of the first captured frame."""


class Pair:
    """What holds a duplex stream together.

    Synchronization: as DuplexStream.
    """

    def __init__(self, out: PlaybackStream, mic: CaptureStream, *, link: bool | None) -> None:
        self._out, self._mic = out, mic
        self.lead = out.buffer_size - out.buffer_size % out.period_size
        """Frames of silence that playback begins with: by so much is the number of what is written ahead."""
        self._ahead = self.lead
        """By how much it is ahead of the number of what was captured beside it."""
        out.ring.refill = self.lead
        sw = out.pcm.sw_params()
        sw.start_threshold = sw.boundary  # both start together, and not when the buffer is full
        out.pcm.configure(sw=sw)
        self.linked = False
        if link is not False:
            self._link(required=link is True)
        card = {out.pcm.info.card, mic.pcm.info.card}
        self._one_trigger = self.linked and len(card) == 1
        if isinstance(out.ring, MmapPlayback) and isinstance(mic.ring, MmapCapture):
            out.ring.pair_with(mic.ring, linked=self.linked)
            self._paired = True
        else:
            self._paired = False

    def _link(self, *, required: bool) -> None:
        try:
            self._out.pcm.link(self._mic.pcm)
            self.linked = True
        except errors.AlsaError as error:
            if required:
                raise errors.UnsupportedError(f"{self._out.device} and {self._mic.device}: {error}") from None

    def part(self) -> None:
        """Let each go its own way again."""
        if self._paired:
            self._paired = False
            assert isinstance(self._out.ring, MmapPlayback)  # noqa: S101 -- as __init__ saw
            self._out.ring.part()
        if self.linked:
            self.linked = False
            with suppress(errors.AlsaError):  # closed, or its card is gone
                self._out.pcm.unlink()

    # ---- state ----

    def start(self) -> None:
        """Start both, playback full of silence. Nothing happens where they run."""
        out, mic = self._out, self._mic
        if out.ring.state != State.PREPARED:
            return
        out.commit_silence(self.lead - (out.buffer_size - out.ring.avail()))
        mic.ring.start()
        if not self.linked:
            out.ring.start()
        out.running()
        mic.running()

    def recover(self, timeout: float | None = None) -> None:
        """Both, whichever of them stopped; ``timeout`` as DeviceStream.recover. StateError where none did."""
        out, mic = self._out.ring, self._mic.ring
        if self._paired:
            out.recover(timeout)
            return
        stopped = [ring for ring in (out, mic) if ring.state in (State.XRUN, State.SUSPENDED)]
        if not stopped:
            raise errors.StateError(f"{self._out.device}: there is nothing to recover from")
        for ring in stopped:
            ring.recover(timeout)  # which counts it
        for ring in (out, mic):
            ring.drop()
            ring.prepare()
        self.start()

    def prepare(self) -> None:
        """Both, to be started again."""
        self._out.prepare()
        if not self.linked:
            self._mic.prepare()

    def drop(self) -> None:
        """Stop both."""
        self._out.drop()
        if not self.linked:
            self._mic.drop()

    # ---- turns ----

    def turn(self) -> Turn:
        """Wait until a period was captured and there is room for one."""
        return self.going_on(self._turn)

    def _turn(self) -> Turn:
        self.start()
        number = self._mic.ring.frame
        self._ahead = self._out.ring.frame - number
        turn = Turn(self._mic.next_period(), self._out.next_period(), number)
        if not self._one_trigger:
            self._out.time()
            self._mic.time()
        return turn

    def going_on(self, call: Callable[[], _T]) -> _T:
        """Call until no xrun or suspend of either ends it, as far as they are to be recovered from."""
        end = None
        while True:
            try:
                return call()
            except (errors.XrunError, errors.SuspendedError):  # noqa: PERF203 -- seldom
                if end is None:
                    end = time.monotonic() + self._out.buffer_size / self._out.rate + 1
                elif time.monotonic() > end:
                    raise
                self._go_on()

    def done(self, turn: Turn) -> None:
        """Hand both over. A turn that is interrupted is lost, so that what follows keeps its offset."""
        try:
            self._out.hand_over(turn.played)
            self._mic.hand_over(turn.heard)
        except (errors.XrunError, errors.SuspendedError):
            self._go_on()

    def _go_on(self) -> None:
        if not self._out.recovers:
            raise  # noqa: PLE0704 -- the caller's
        self.recover()

    # ---- time ----

    @property
    def offset(self) -> int:
        """See DuplexStream."""
        if self._one_trigger:
            return self.lead
        now = time.monotonic_ns()
        return self._ahead + round(self._mic.frame_at(now) - self._out.frame_at(now))

    def drift_ppm(self) -> float:
        """See DuplexStream."""
        if self._one_trigger:
            return 0.0
        return (self._mic.clock.rate / self._out.clock.rate - 1) * 1e6
