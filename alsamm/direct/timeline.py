"""TimelineIO: a ring whose frames are counted for ever, also where the card begins anew."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from typing import Any

from alsamm import errors
from alsamm._c import ffi, lib
from alsamm.account import Interruption, Position
from alsamm.checks import count_of, seconds_of, time_of
from alsamm.direct.view_io import ViewIO

__all__ = ["TimelineIO"]

_KEPT: int = lib.ALSAMM_INTERRUPTIONS
_NAP = 0.02
_CHANGING = 0.0001
_NUMBERS = 1 << 62


class TimelineIO(ViewIO):
    """Numbers a stream's frames, over PREPARE and xruns (``_c/recovery.c``); MmapIO is built on it."""

    on_interruption: Callable[[Interruption], None] | None = None
    """Called after each recovery, from the call in which it happened; an exception of its own ends that call."""
    _heard_of = 0
    _partner: TimelineIO | None = None

    # ---- where it is ----

    @property
    def frame(self) -> int:
        """The number in the stream of the next frame to be written or read: 0 at first, and it never goes back.

        Frames that were lost count, and so does the silence that a recovery began anew with. Synchronization: any
        thread.
        """
        out = ffi.new("long long *")
        while (code := lib.fast_frame(self._ring, out)) == -errno.EAGAIN:
            time.sleep(_CHANGING)
        self._check(code, "frame")
        return int(out[0])

    def set_frame(self, frame: int) -> None:
        """Count on from another number. Synchronization: as writing and reading.

        Raises ArgumentError for one below 0 or beyond 2^62, ArgumentTypeError.
        """
        self._count_from(count_of("frame", frame, most=_NUMBERS))

    def _count_from(self, frame: int) -> None:
        """As ``set_frame``; a capture that is rewound to before its first frame has a number below 0."""
        self._check(lib.fast_set_frame(self._ring, frame), "frame")

    def position(self) -> Position:
        """The frame that the card is at, and when it was there, by one SYNC_PTR (rules D5, K5).

        The card is asked for its place of now; a stream that does not move is where it is now. The time never goes
        back, except of a software card that keeps a time of its own. Synchronization: any thread.
        """
        place = ffi.new("struct alsamm_place *")
        while (code := lib.fast_place(self._ring, place)) == -errno.EAGAIN:
            time.sleep(_CHANGING)
        self._check(code, "position")
        return Position(int(place.frame), int(place.time_ns))

    # ---- beginning, and beginning anew ----

    def prepare(self) -> None:
        """Make ready to start: both pointers to 0, the ring silent (SNDRV_PCM_IOCTL_PREPARE, rule G)."""
        self._check(self._outside(lib.alsamm_prepare, self._ring), "SNDRV_PCM_IOCTL_PREPARE")

    def reset(self) -> None:
        """Forget what is buffered: appl_ptr becomes hw_ptr (SNDRV_PCM_IOCTL_RESET)."""
        place = max(self.position().frame, self.frame)
        super().reset()
        self._count_from(place)

    def rewind(self, frames: int) -> int:
        """Take back up to ``frames`` committed ones; gives how many (SNDRV_PCM_IOCTL_REWIND, rule E7)."""
        return self._moved(super().rewind, frames, -1)

    def forward(self, frames: int) -> int:
        """Skip up to ``frames``; gives how many (SNDRV_PCM_IOCTL_FORWARD, rule E7)."""
        return self._moved(super().forward, frames, 1)

    def _moved(self, move: Callable[[int], int], frames: int, way: int) -> int:
        frame = self.frame
        done = move(frames)
        self._count_from(frame + way * done)
        return done

    def start_at(self, time_ns: int) -> int:
        """Start at a time of CLOCK_MONOTONIC, as exactly as the machine allows; gives when the card was triggered.

        Sleeps until shortly before, then watches the clock. A time that is past starts at once. Raises as ``start``.
        """
        at = time_of("time_ns", time_ns)
        while (code := self._outside(lib.alsamm_start_at, self._ring, at)) == -errno.EINTR:
            pass  # the interpreter has run the signal handlers by now, and one that raises ends the loop
        self._check(code, "SNDRV_PCM_IOCTL_START")
        now = ffi.new("struct alsamm_status *")
        self._check(lib.alsamm_get_status(self._fd, now), "SNDRV_PCM_IOCTL_STATUS")
        return int(now.trigger_tstamp_ns)

    # ---- interruptions ----

    def recover(self, timeout: float | None = None) -> None:
        """Go on after an xrun or a suspend: resume, or prepare, refill with ``refill`` frames of silence and start.

        What was lost is told in ``interruptions``. A playback without ``refill`` starts with what is written next.
        ``timeout``, seconds, is for a system that is still asleep; None is one buffer and a second. Raises
        SuspendedError then, StateError where there is nothing to recover from, DeviceLostError.
        """
        seconds = self._geometry.buffer_size / self._geometry.rate + 1 if timeout is None else seconds_of(timeout)
        end = time.monotonic() + seconds
        while (code := self._outside(lib.alsamm_recover, self._ring)) == -errno.EAGAIN:
            if time.monotonic() >= end:
                code = -errno.ESTRPIPE
                break
            time.sleep(_NAP)
        self._check(code, "recover")
        self._tell()
        if self._partner is not None:
            self._partner._tell()  # noqa: SLF001 -- of the same class

    def pair_with(self, partner: TimelineIO, *, linked: bool) -> None:
        """Duplex: from here on what stops one stops both, and a recovery is both's; ``linked`` in the kernel.

        Synchronization: both have one owner.
        """
        self._join(partner, linked=linked)
        partner._join(self, linked=linked)

    def _join(self, partner: TimelineIO | None, *, linked: bool) -> None:
        self._partner = partner
        self._ring.partner = ffi.NULL if partner is None else partner._ring  # noqa: SLF001 -- of the same class
        self._ring.linked = linked

    def part(self) -> None:
        """End ``pair_with``, for both."""
        if (partner := self._partner) is not None:
            partner._join(None, linked=False)  # noqa: SLF001 -- of the same class
        self._join(None, linked=False)

    @property
    def refill(self) -> int:
        """Frames of silence that a playback begins anew with after an xrun, at once; 0: with what is written next."""
        return int(self._ring.refill)

    @refill.setter
    def refill(self, frames: int) -> None:
        if not 0 <= frames <= self._geometry.buffer_size:
            raise errors.ArgumentError(f"refill {frames}: 0 to {self._geometry.buffer_size} frames, the buffer")
        self._ring.refill = frames

    @property
    def xruns(self) -> int:
        """How many xruns were recovered from."""
        return int(self._ring.xruns)

    @property
    def suspends(self) -> int:
        """How many suspends were recovered from."""
        return int(self._ring.suspends)

    @property
    def lost(self) -> int:
        """Frames that all interruptions together lost; see Interruption.lost."""
        return int(self._ring.lost)

    @property
    def interruptions(self) -> list[Interruption]:
        """The last sixteen, the oldest first."""
        return self._interruptions_from(0)

    def _interruptions_from(self, number: int) -> list[Interruption]:
        """From the one of that number on. Synchronization: any thread."""
        told = ffi.new("struct alsamm_told *", {"first": number})
        self._check(lib.fast_interruptions(self._ring, told), "interruptions")
        return [_interruption(told.of[n % _KEPT]) for n in range(told.first, told.end)]

    def _policy(self, recover: bool) -> int:
        if not recover:
            return lib.ALSAMM_RAISE
        return lib.ALSAMM_RECOVER if self.on_interruption is None else lib.ALSAMM_RECOVER_AND_TELL

    def _tell(self) -> None:
        new = self._interruptions_from(self._heard_of)
        self._heard_of = int(self._ring.interrupted)
        if self.on_interruption is not None:
            for interruption in new:
                self.on_interruption(interruption)

    # ---- how the blocking calls fare ----

    @property
    def waited_ns(self) -> int:
        """Nanoseconds that the blocking calls slept, all together."""
        return int(self._ring.waited_ns)

    @property
    def longest_wait_ns(self) -> int:
        """Nanoseconds of the longest sleep."""
        return int(self._ring.longest_wait_ns)

    @property
    def latest(self) -> int:
        """The most frames by which a blocking call found more than ``avail_min``: how late it ever looked."""
        return int(self._ring.latest)


def _interruption(what: Any) -> Interruption:
    return Interruption(
        kind="suspend" if what.suspended else "xrun",
        time_ns=what.time_ns,
        frame=what.frame,
        resumed=what.resumed,
        lost=what.lost,
        silence=what.silence,
        gap_ns=what.gap_ns,
    )
