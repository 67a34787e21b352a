"""DeviceStream: what playback and capture streams share."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from copy import copy
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np

from alsamm import errors
from alsamm.account import Interruption, Position
from alsamm.checks import seconds_of
from alsamm.enums import Format, State
from alsamm.stream.clock import ClockModel
from alsamm.stream.stats import Stats

if TYPE_CHECKING:
    from typing_extensions import Self

    from alsamm.alsalib import PCM
    from alsamm.stream.io import StreamIO

__all__ = ["DeviceStream", "Policy"]

_Array = np.ndarray[Any, np.dtype[Any]]
_T = TypeVar("_T")
Policy = Literal["recover", "raise"] | Callable[[Interruption], None]
"""What to do about xruns and suspends; see ``playback``."""


class DeviceStream:
    """One direction of a device, open and configured.

    Everything that was granted can be read, and ``repr`` shows it. Frames are numbered from 0, in the order in which
    they are written or read; what an interruption lost is numbered too.

    Leaving ``with`` normally plays what was written to its end, or stops capturing; leaving by an exception stops at
    once. After an unplug every call raises DeviceLostError.

    Synchronization: one thread at a time writes, reads, starts, stops and closes; ``time``, ``time_at``, ``frame_at``,
    ``clock``, ``stats``, ``interruptions`` and what was granted may be read from any thread. Where a second one writes
    or reads all the same, it may get a StateError, or frames of both may be lost; nothing worse. A call that waits
    while another thread closes the stream ends with ClosedError.
    """

    def __init__(self, pcm: PCM, io: StreamIO, on_xrun: Policy) -> None:
        if on_xrun not in ("recover", "raise") and not callable(on_xrun):
            io.close()
            pcm.close()
            raise errors.ArgumentError(f"on_xrun {on_xrun!r}: 'recover', 'raise' or a function of the Interruption")
        self._pcm = pcm
        self._io = io
        self.recovers = on_xrun != "raise"
        if callable(on_xrun):
            io.on_interruption = on_xrun
        self._clock = ClockModel(_exact_rate(pcm))
        self._clock_lock = threading.Lock()
        self._clock_heard_of = self._jumps = 0
        self._clock_settled = True
        self._last = Position(0, 0)
        self._moved = 0
        self._dropped = 0
        self._staged = False
        self._started_ns: int | None = None
        self.closing: Callable[[], None] | None = None
        """Called before it is closed, in the thread that closes: who polls its descriptor must let go of it."""

    # ---- what was granted ----

    @property
    def device(self) -> str:
        """The PCM's name."""
        return self._pcm.name

    @property
    def pcm(self) -> PCM:
        """The PCM below, for what streams do not have. It is the stream's: do not close it."""
        return self._pcm

    @property
    def rate(self) -> int:
        """Frames a second."""
        return self._io.geometry.rate

    @property
    def channels(self) -> int:
        """Samples in a frame."""
        return self._io.geometry.channels

    @property
    def format(self) -> Format:
        """What a sample is in the card."""
        return self._io.geometry.format

    @property
    def dtype(self) -> np.dtype[Any]:
        """What a sample is in your arrays; where it is not the card's, it is converted on the way."""
        return self._io.dtype

    @property
    def array_format(self) -> Format:
        """The format that ``dtype`` is of: ``format``, where nothing is converted."""
        return self.format if self.dtype == self.format.dtype else Format.from_dtype(self.dtype)

    @property
    def period_size(self) -> int:
        """Frames between two interrupts of the card."""
        return self._io.geometry.period_size

    @property
    def buffer_size(self) -> int:
        """Frames of the whole buffer."""
        return self._io.geometry.buffer_size

    @property
    def transport(self) -> str:
        """How samples and pointers travel: ``mapped``, ``SYNC_PTR``, a mixture of them, or ``alsa-lib``."""
        return str(self._io.transport)

    # ---- what it is doing ----

    @property
    def state(self) -> State:
        """What the PCM is doing."""
        return State.OPEN if self.closed else self._io.state

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called, or this process was forked from the owner's."""
        return self._io.closed

    @property
    def frame(self) -> int:
        """The number of the next frame to be written or read."""
        return self._io.frame

    @property
    def interruptions(self) -> list[Interruption]:
        """The last sixteen xruns and suspends that were recovered from."""
        return self._io.interruptions

    @property
    def stats(self) -> Stats:
        """How it fared so far."""
        io = self._io
        elapsed = 0 if self._started_ns is None else time.monotonic_ns() - self._started_ns
        return Stats(
            frames=self._moved,
            queued=self._queued(),
            xruns=io.xruns,
            suspends=io.suspends,
            lost=io.lost + self._dropped,
            late=io.latest,
            longest_wait=io.longest_wait_ns / 1e9,
            load=max(0.0, 1.0 - io.waited_ns / elapsed) if elapsed else 0.0,
        )

    def _queued(self) -> int:
        """Frames of yours, or for you, that are under way."""
        return self._in_buffer()

    def _in_buffer(self) -> int:
        raise NotImplementedError

    # ---- time ----

    def time(self) -> Position:
        """The frame that the card is at and the time (CLOCK_MONOTONIC) at which it was; they belong together.

        Playback: the next frame to leave the buffer. Capture: the next one to come. Each call also teaches the clock
        model behind ``frame_at``, ``time_at`` and ``clock``: call it now and then, such as once a period.
        """
        with self._clock_lock:
            return self._learn()

    def _learn(self) -> Position:
        """The position, taken into the clock model, whose lock is held."""
        io = self._io
        while True:  # the owner may recover meanwhile, in C: a place and a jump that it knows nothing of are no pair
            jumps = self._jumped()
            position = io.position()
            moves = io.state in (State.RUNNING, State.DRAINING)
            if jumps == self._jumped():
                break
        last, self._last = self._last, position
        if not moves:
            return position
        if jumps != self._clock_heard_of or position.frame < last.frame or position.time_ns < last.time_ns:
            self._clock_heard_of = jumps
            self._clock.restart(position)
            self._clock_settled = False  # a card that has not moved since tells the time of before (rule M4)
        elif self._clock_settled or position.frame == last.frame:
            self._clock.update(position)
        else:
            self._clock.restart(position)
            self._clock_settled = True
        return position

    def _jumped(self) -> int:
        return self._jumps + self._io.xruns + self._io.suspends

    @property
    def clock(self) -> ClockModel:
        """The card's clock against the system's, as it is known now: ``rate``, ``ppm`` and how sure they are.

        Yours to keep: it learns nothing more.
        """
        with self._clock_lock:
            return copy(self._clock)

    def frame_at(self, time_ns: int) -> float:
        """The frame that the card is, was or will be at, by the clock model. Raises StateError before it ran."""
        with self._clock_lock:
            self._learn()
            return self._clock.frame_at(time_ns)

    def time_at(self, frame: float) -> int:
        """When the card is, was or will be at a frame: nanoseconds of CLOCK_MONOTONIC. Else as ``frame_at``."""
        with self._clock_lock:
            self._learn()
            return self._clock.time_at(frame)

    @property
    def delay(self) -> int:
        """Frames from what is written next to the speaker, or from the microphone to what is read next, now.

        Raises XrunError, StateError where the stream does not run.
        """
        return self._io.delay()

    @property
    def latency(self) -> float:
        """``delay`` in seconds."""
        return self.delay / self.rate

    # ---- state ----

    def start(self, at_ns: int | None = None) -> int:
        """Start now, or at a time of CLOCK_MONOTONIC; gives when the card was triggered.

        A time: sleeps until shortly before, then watches the clock; what came of it is what is given. Playback needs
        frames to play: Underrun without them. SuspendedError where the system has slept: ``recover``, and again.
        """
        achieved = self._io.start_at(time.monotonic_ns() if at_ns is None else at_ns)
        self._jumps += 1
        self.running()
        return achieved

    def prepare(self) -> None:
        """Make ready again after ``drop`` or ``drain``; what was written and not played is lost, and counted so."""
        self._dropped += self._in_buffer()
        self._jumps += 1
        self._io.prepare()

    def drop(self) -> None:
        """Stop at once. What was not played, or not read, is lost, and counted so."""
        self._dropped += self._in_buffer()
        self._jumps += 1
        self._io.drop()

    def pause(self, enable: bool = True) -> None:
        """Hold, or with False go on. UnsupportedError where the card cannot."""
        if not enable:
            self._io.position()  # from here and now it goes on, until the card moves
        self._io.pause(enable)
        self._jumps += 1

    def recover(self, timeout: float | None = None) -> None:
        """Go on after an xrun or a suspend that was raised. StateError where there is none.

        ``timeout``, seconds, is for a system that is still asleep; None: a buffer's time and a second.
        """
        self._io.recover(timeout)

    def wait(self, timeout: float | None = None) -> None:
        """Sleep until a period can be written or read, going on after xruns as ``on_xrun`` says.

        ``timeout``, seconds; None: a buffer's time and a second. Raises TimeoutError, and for xruns that are not to be
        recovered from XrunError.
        """
        end = None if timeout is None else time.monotonic() + seconds_of(timeout)
        self._recovering(lambda: self._io.wait(None if end is None else max(0.0, end - time.monotonic())))
        self.running()

    def _recovering(self, call: Callable[[], _T]) -> _T:
        """Call until no xrun or suspend ends it, as far as they are to be recovered from.

        A card that only stops again and again for a buffer's time and a second is let through.
        """
        end = None
        while True:
            try:
                return call()
            except (errors.XrunError, errors.SuspendedError):  # noqa: PERF203 -- seldom
                if end is None:
                    end = time.monotonic() + self.buffer_size / self.rate + 1
                elif time.monotonic() > end:
                    raise
                self._go_on()

    def _go_on(self) -> None:
        """Within ``except``: recover, or let it through."""
        if not self.recovers:
            raise  # noqa: PLE0704 -- the caller's
        self._io.recover()

    def running(self) -> None:
        """It runs: what is measured of the time since then begins now."""
        if self._started_ns is None:
            self._started_ns = time.monotonic_ns()

    # ---- for an event loop ----

    def fileno(self) -> int:
        """The descriptor to poll; ``pcm.poll_descriptors`` has the events. UnsupportedError where there are several."""
        return self._pcm.fileno()

    # ---- its end ----

    def close(self) -> None:
        """Stop at once and close; twice is harmless."""
        try:
            if self.closing is not None:
                self.closing()
        finally:
            self._io.close(drop=True)
            self._pcm.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None and not self.closed:
                self._finish()
        finally:
            self.close()

    def _finish(self) -> None:
        raise NotImplementedError

    def __repr__(self) -> str:
        name = type(self).__name__
        if self.closed:
            return f"<{name} {self.device!r} closed>"
        converted = "" if self.dtype == self.format.dtype else f" (arrays of {self.dtype})"
        return (
            f"<{name} {self.device!r} {self.state}: {self.format}{converted}, {self.channels} ch at {self.rate} Hz,"
            f" period {self.period_size}, buffer {self.buffer_size} frames"
            f" ({self.buffer_size / self.rate * 1000:.3g} ms), {self.transport}>"
        )


def _exact_rate(pcm: PCM) -> float:
    hw = pcm.hw_params()
    try:
        return float(hw.rate_ratio)
    except errors.StateError:  # a plugin that does not tell it
        return float(hw.rate)
