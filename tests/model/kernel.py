"""A PCM substream as docs/kernel-rules.md tells it, in unbounded integers: no C, no memory, no clock.

Written from the rules, beside the software card's C and not from it. A frame is an integer: a number, SILENCE or ZERO.
"""

from __future__ import annotations

import contextlib
import errno
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from alsamm.enums import State

__all__ = ["EITHER", "SILENCE", "ZERO", "Refused", "Stream", "Traits"]

Frames = npt.NDArray[np.int64]

ZERO = 0
"""What hw_params leaves in the ring (rule F7)."""
SILENCE = -1
"""The format's."""
EITHER = (State.PREPARED, State.RUNNING, State.PAUSED)
"""In which frames may be moved, in either direction."""


class Refused(Exception):  # noqa: N818 -- what the kernel does
    """An errno from an ioctl."""

    def __init__(self, number: int) -> None:
        super().__init__(errno.errorcode[number])
        self.errno = number


@dataclass(frozen=True)
class Traits:
    """What a card and its configuration are."""

    period: int
    buffer: int
    boundary: int
    granularity: int = 1
    pause: bool = True
    resume: bool = True
    no_rewinds: bool = False
    no_period_wakeup: bool = False
    delay: int = 0


class Stream:
    """The runtime of one substream, and its hardware's place.

    ``moved`` counts what went through the DMA since PREPARE; pointers are below boundary (rule E1).
    """

    def __init__(self, capture: bool, traits: Traits) -> None:
        self.capture = capture
        self.traits = traits
        self.ring: Frames = np.full(traits.buffer, ZERO, np.int64)
        self.state = self.suspended_state = State.PREPARED
        self.hw_ptr = self.appl_ptr = 0
        self.moved = self.moved_when_read = 0
        self.interrupt_ptr = 0  # the period that the last interrupt told of
        self.silence_start = self.silence_filled = 0
        self.avail_min, self.start_threshold, self.stop_threshold = traits.period, 1, traits.buffer  # rule G, hw_params
        self.silence_threshold = self.silence_size = 0
        self.late = self.interrupts = self.xruns = 0
        self.bad_position = False
        self.group = [self]
        self.wraps = 0
        self.woken = False

    # ---- arithmetic: rules E2, E3 ----

    @property
    def avail(self) -> int:
        room = 0 if self.capture else self.traits.buffer
        return (self.hw_ptr - self.appl_ptr + room) % self.traits.boundary

    @property
    def hw_avail(self) -> int:
        return self.traits.buffer - self.avail

    @property
    def running(self) -> bool:
        """snd_pcm_running: a capture that drains does not."""
        return self.state is State.RUNNING or (self.state is State.DRAINING and not self.capture)

    @property
    def has_data(self) -> bool:
        """Rule G4: nothing to play is no reason where nothing ever stops."""
        return self.capture or self.stop_threshold >= self.traits.boundary or self.hw_avail > 0

    def fill(self, position: int, frames: int, what: int = SILENCE) -> None:
        self.ring[(position + np.arange(frames)) % self.traits.buffer] = what

    # ---- where the card is: rules H1, H2, H4, G2, G3 ----

    def ask(self, *, interrupt: bool = False) -> int:
        """snd_pcm_update_hw_ptr0: the place in the ring is all that a card tells. 0, or EPIPE."""
        t, old = self.traits, self.hw_ptr
        place = 0 if self.bad_position else (self.moved - self.moved % t.granularity) % t.buffer
        self.bad_position = False
        elapsed, self.moved_when_read = self.moved - self.moved_when_read, self.moved
        turn = old - old % t.buffer
        overdue = interrupt and self.interrupt_ptr + t.period > turn + place and elapsed > t.buffer // 2
        if overdue or turn + place < old:
            turn += t.buffer
        if t.no_period_wakeup and elapsed >= t.buffer // 2:  # H4: then the kernel counts lost turns by the time
            while elapsed - (turn + place - old) > t.buffer // 2:
                turn += t.buffer
        new = turn + place
        if new % t.boundary == old:  # also a whole turn of the pointers, which only so small a boundary has
            return 0
        self.silence(new)
        if interrupt:
            ahead = (new - self.interrupt_ptr) % t.boundary
            self.interrupt_ptr = (self.interrupt_ptr + ahead - ahead % t.period) % t.boundary
        self.wraps += new // t.boundary
        self.hw_ptr = new % t.boundary
        return self.judge()

    def judge(self) -> int:
        """snd_pcm_update_state: the end of a drain, an xrun, or a wake-up. Rules G2, G5, P6."""
        if self.state is State.DRAINING:
            if self.avail >= self.traits.buffer:
                self.state = State.SETUP  # this stream only
                return errno.EPIPE
        elif self.avail >= self.stop_threshold:
            self.xrun()
            return errno.EPIPE
        return 0

    def xrun(self) -> None:
        self.xruns += 1
        self.stop(State.XRUN)

    def stop(self, state: State) -> None:
        for member in self.group:
            member.state = state

    def hwsync(self) -> None:
        """Rule D6."""
        if self.state in (State.PREPARED, State.PAUSED):
            return
        if self.running:
            number = self.ask()
        else:
            number = {State.SUSPENDED: errno.ESTRPIPE, State.XRUN: errno.EPIPE}.get(self.state, errno.EBADFD)
        if number:
            raise Refused(number)

    def interrupt(self) -> None:
        if self.traits.no_period_wakeup:
            return
        if self.late:
            self.late -= 1
            return
        self.interrupts += 1
        self.ask(interrupt=True)

    # ---- silence: rules J1, J2, P17 ----

    def silence(self, new_hw_ptr: int | None = None) -> None:
        """snd_pcm_playback_silence; ``None``: at START, RESET and SW_PARAMS."""
        t = self.traits
        if self.capture or not self.silence_size:
            return
        hw_ptr = self.hw_ptr if new_hw_ptr is None else new_hw_ptr
        queued = (self.appl_ptr - hw_ptr) % t.boundary
        if self.silence_size < t.boundary:
            self._silence_passed(self.appl_ptr)
            frames = min(max(0, self.silence_threshold - queued - self.silence_filled), self.silence_size)
        else:
            if new_hw_ptr is None:
                self.silence_start, self.silence_filled = hw_ptr, queued if queued <= t.buffer else 0
            else:
                self._silence_passed(new_hw_ptr % t.boundary)
            frames = t.buffer - self.silence_filled
        if 0 < frames <= t.buffer:
            self.fill(self.silence_start + self.silence_filled, frames)
            self.silence_filled += frames

    def _silence_passed(self, to: int) -> None:
        passed = (to - self.silence_start) % self.traits.boundary
        self.silence_start, self.silence_filled = to, max(0, self.silence_filled - passed)

    # ---- ioctls: part G ----

    def prepare(self) -> None:
        if self.state in (State.PAUSED, State.SUSPENDED):
            self.stop(State.SETUP)
        if any(member.running for member in self.group):
            raise Refused(errno.EBUSY)
        for member in self.group:
            member.moved = member.moved_when_read = 0
            member._begin_at(0)
            member.state = State.PREPARED

    def _begin_at(self, hw_ptr: int) -> None:
        self.hw_ptr = self.appl_ptr = self.silence_start = hw_ptr
        self.interrupt_ptr = hw_ptr - hw_ptr % self.traits.period
        self.silence_filled = 0

    def reset(self) -> None:
        if any(m.state not in (*EITHER, State.SUSPENDED) for m in self.group):
            raise Refused(errno.EBADFD)
        for member in self.group:
            kept = member.running and member.ask() == 0
            member._begin_at(member.hw_ptr % member.traits.buffer if kept else 0)
            member.silence()

    def start(self) -> None:
        for member in self.group:
            if member.state is not State.PREPARED:
                raise Refused(errno.EBADFD)
            if not member.has_data:
                raise Refused(errno.EPIPE)
        for member in self.group:
            member.run(State.RUNNING)

    def run(self, state: State) -> None:
        self.moved_when_read = self.moved
        self.state = state
        self.silence()

    def drop(self) -> None:
        self.stop(State.SETUP)

    def drain(self) -> None:
        """What it does before it waits."""
        if self.state is State.PAUSED:
            with contextlib.suppress(Refused):
                self.pause(False)
        if any(m.state is State.SUSPENDED for m in self.group):
            raise Refused(errno.EBADFD)
        for member in self.group:
            member._drain_one()

    def _drain_one(self) -> None:
        if self.capture:
            if self.state is State.RUNNING:
                self.state = State.DRAINING if self.avail else State.SETUP
        elif self.state is State.PREPARED:
            if self.hw_avail > 0:
                self.run(State.DRAINING)
            else:
                self.state = State.SETUP
        elif self.state is State.RUNNING:
            self.state = State.DRAINING
        elif self.state is State.XRUN:
            self.state = State.SETUP

    def pause(self, enable: bool) -> None:
        for member in self.group:
            if not member.traits.pause:
                raise Refused(errno.ENOSYS)
            if member.state is not (State.RUNNING if enable else State.PAUSED):
                raise Refused(errno.EBADFD)
        self.stop(State.PAUSED if enable else State.RUNNING)

    def suspend(self) -> None:
        """The system goes to sleep; what does not move is left."""
        if all(m.state not in (State.SETUP, State.SUSPENDED) for m in self.group):
            for member in self.group:
                member.suspended_state, member.state = member.state, State.SUSPENDED

    def resume(self) -> None:
        for member in self.group:
            if member.state is not State.SUSPENDED:
                raise Refused(errno.EBADFD)
            if not member.traits.resume:
                raise Refused(errno.ENOSYS)
        for member in self.group:
            member.state = member.suspended_state

    def xrun_ioctl(self) -> None:
        if self.state is State.RUNNING:
            self.xrun()
        if self.state is not State.XRUN:
            raise Refused(errno.EBADFD)

    def set_appl_ptr(self, to: int) -> None:
        """Rule D4; a mapped page is a plain store."""
        if to == self.appl_ptr:
            return
        if not 0 <= to < self.traits.boundary:
            raise Refused(errno.EINVAL)
        if self.traits.no_rewinds and (to - self.appl_ptr) % self.traits.boundary > self.traits.buffer:
            raise Refused(errno.EINVAL)
        self.appl_ptr = to

    def shift(self, frames: int, way: int) -> int:
        """REWIND (-1) and FORWARD (1): rule E7."""
        if not frames:
            return 0
        self.hwsync()
        frames = min(frames, max(0, self.avail if way > 0 else self.hw_avail))
        try:
            self.set_appl_ptr((self.appl_ptr + way * frames) % self.traits.boundary)
        except Refused:
            if way > 0:
                raise
            return 0
        return frames

    def delay_ioctl(self) -> int:
        """Rule H5."""
        self.hwsync()
        return (self.avail if self.capture else self.hw_avail) + self.traits.delay

    def status(self) -> tuple[State, int, int, int, int]:
        """State, hw_ptr, appl_ptr, avail and delay: rule M4. The state is of before the card was asked."""
        state = self.state
        if self.running:
            self.ask()
        delay = (self.avail if self.capture else self.hw_avail) + self.traits.delay
        return state, self.hw_ptr, self.appl_ptr, self.avail, delay if self.running else 0

    def sw_params(self, wishes: dict[str, int]) -> None:
        """Rules J1, I4. What a running stream is judged by changes at once (rule G2)."""
        size = wishes.get("silence_size", self.silence_size)
        threshold = wishes.get("silence_threshold", self.silence_threshold)
        bad = threshold != 0 if size >= self.traits.boundary else size > threshold or threshold > self.traits.buffer
        if bad or wishes.get("avail_min", 1) <= 0:
            raise Refused(errno.EINVAL)
        for name, value in wishes.items():
            setattr(self, name, value)
        if self.running:
            self.silence()
            self.judge()

    @property
    def poll(self) -> bool:
        """Whether poll has something to tell: rule I1."""
        if self.state in EITHER:
            return self.avail >= self.avail_min
        return self.state is not State.DRAINING or self.capture
