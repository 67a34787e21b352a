"""What MmapPlayback and MmapCapture promise on top of the kernel: when they ask, commit, refuse, start, recover."""

from __future__ import annotations

import contextlib
import errno
from dataclasses import dataclass, field

import numpy as np

from alsamm.enums import State
from tests.model.card import MS, RATE, ModelCard
from tests.model.kernel import EITHER, Frames, Refused, Stream

__all__ = ["Account", "Argument", "BaseRing", "Full", "Overwritten"]

_REFUSALS = {
    State.XRUN: errno.EPIPE,
    State.SUSPENDED: errno.ESTRPIPE,
    State.DISCONNECTED: errno.ENODEV,
}


class Argument(Exception):  # noqa: N818 -- ArgumentError is alsamm's own
    """A value that cannot be."""


class Full(Exception):  # noqa: N818 -- a state
    """The ring is full, and start_threshold more than that."""


class Overwritten(Exception):  # noqa: N818 -- what the card did
    """The card was ahead by more than the ring (rule G5)."""


@dataclass(frozen=True)
class Account:
    """An interruption, as alsamm.Interruption tells it."""

    kind: str
    frame: int
    resumed: int
    lost: int
    silence: int


@dataclass
class BaseRing:
    """One mapped PCM. ``status_mapped`` and ``control_mapped``: the road of each page."""

    card: ModelCard
    stream: Stream
    status_mapped: bool
    control_mapped: bool
    anchor: tuple[int, int] = (0, 0)
    """A frame's number and the appl_ptr that it belongs to (design decision 17)."""
    refill: int = 0
    accounts: list[Account] = field(default_factory=list)
    done: int = 0
    wraps: int = 0
    """Of appl_ptr, by commits."""

    def __post_init__(self) -> None:
        if self.stream.state in (State.SETUP, State.PREPARED):
            self.silence()

    # ---- looking ----

    @property
    def mapped(self) -> bool:
        return self.status_mapped and self.control_mapped

    @property
    def avail(self) -> int:
        return self.stream.avail

    @property
    def usable(self) -> int:
        return min(self.stream.avail, self.stream.traits.buffer)

    @property
    def stops(self) -> bool:
        return self.stream.stop_threshold < self.stream.traits.boundary

    def ask(self) -> None:
        """HWSYNC where the state allows it (rule D6)."""
        with contextlib.suppress(Refused):
            self.stream.hwsync()

    def ask_if_late(self) -> None:
        """Rule P15: with less than a period queued the card may be past appl_ptr already."""
        s = self.stream
        if not s.capture and self.stops and s.state is State.RUNNING and s.hw_avail < s.traits.period:
            self.ask()

    def ask_if_full(self) -> None:
        """Rule G5: with less than a period free the card may write over what is read. SYNC_PTR asks it always."""
        s = self.stream
        if not self.mapped or s.hw_avail < s.traits.period:
            self.ask()

    def require_movable(self) -> None:
        """Rules D8, N: the kernel would take an appl_ptr in any state."""
        state = self.stream.state
        if state not in EITHER and not (self.stream.capture and state is State.DRAINING):
            raise Refused(_REFUSALS.get(state, errno.EBADFD))

    # ---- frames' numbers ----

    @property
    def frame(self) -> int:
        number, pointer = self.anchor
        return number + (self.stream.appl_ptr - pointer) % self.stream.traits.boundary

    @property
    def ahead(self) -> int:
        """From appl_ptr to hw_ptr."""
        distance, half = self.stream.hw_ptr - self.stream.appl_ptr, self.stream.traits.boundary // 2
        if distance > half:
            return distance - self.stream.traits.boundary
        return distance + self.stream.traits.boundary if distance < -half else distance

    @property
    def next_frame(self) -> int:
        """What PREPARE goes on counting from: nothing that was committed or captured gets a number again."""
        return self.frame + max(0, self.ahead)

    def position(self) -> int:
        if self.stream.state is State.DISCONNECTED:
            raise Refused(errno.ENODEV)
        self.ask()
        return self.frame + self.ahead

    # ---- moving ----

    def set_appl_ptr(self, to: int) -> None:
        if self.control_mapped:
            self.stream.appl_ptr = to
        else:
            self.stream.set_appl_ptr(to)

    def publish(self, frames: int) -> None:
        """Commit, and START where it is due (rule G6)."""
        s = self.stream
        queued, before = max(0, s.hw_avail), s.state
        if not frames:
            return
        number, last = self.frame + frames, s.appl_ptr
        self.set_appl_ptr((last + frames) % s.traits.boundary)
        if s.appl_ptr < last:
            self.wraps += 1
            self.anchor = (number, s.appl_ptr)
        if before is State.PREPARED and not s.capture and queued + frames >= s.start_threshold:
            self.start_due = True

    start_due = False

    def start_if_due(self) -> None:
        due, self.start_due = self.start_due, False
        if due:
            self.stream.start()

    def _place(self, frames: int) -> Frames:
        place: Frames = (self.stream.appl_ptr + np.arange(frames)) % self.stream.traits.buffer
        return place

    def write(self, frames: Frames) -> int:
        self.done = 0
        self.ask_if_late()
        self.require_movable()
        self.done = len(frames := frames[: self.usable])
        self.stream.ring[self._place(len(frames))] = frames
        self.publish(len(frames))
        self.start_if_due()
        return self.done

    def commit(self, frames: int) -> None:
        self.ask_if_late()
        self.require_movable()
        if not 0 <= frames <= self.usable:
            raise Argument
        self.publish(frames)
        self.start_if_due()

    def spans(self) -> tuple[int, int, int]:
        """Offset and lengths of the two runs of data(): rule E6."""
        if self.stream.capture:
            self.ask_if_full()
        else:
            self.ask_if_late()
        self.require_movable()
        offset = self.stream.appl_ptr % self.stream.traits.buffer
        first = min(self.usable, self.stream.traits.buffer - offset)
        return offset, first, self.usable - first

    def take(self, frames: int, *, commit: bool = True) -> Frames:
        """read_into and, without ``commit``, peek."""
        self.done = 0
        self.ask_if_full()
        self.require_movable()
        if self.avail > self.stream.traits.buffer:
            raise Overwritten
        frames = min(frames, self.avail)
        taken: Frames = self.stream.ring[self._place(frames)].copy()
        self.ask_if_full()
        if self.avail > self.stream.traits.buffer:
            raise Overwritten
        if commit:
            self.publish(frames)
        self.done = frames
        return taken

    def silence(self) -> None:
        if not self.stream.capture:
            self.stream.fill(self.stream.appl_ptr, self.usable)

    # ---- state ----

    def prepare(self) -> None:
        """Of a linked PCM only this ring is told; its partner is not this ring's (that is pair_with)."""
        self.stream.status()
        following = self.next_frame
        self.stream.prepare()
        self.anchor = (following, 0)
        self.silence()

    def reset(self) -> None:
        following = max(self.position(), self.frame)
        self.stream.reset()
        self.anchor = (following, self.stream.appl_ptr)

    def shift(self, frames: int, way: int) -> int:
        before = self.frame
        done = self.stream.shift(frames, way)
        self.anchor = (before + way * done, self.stream.appl_ptr)
        return done

    def drain(self) -> None:
        """Rules J3 to J5: room that the card frees is made silent while it drains."""
        s = self.stream
        if s.capture:
            self.ask()
            s.drain()
            self.card.wait_drained(s)
            return
        if s.state in _REFUSALS:
            raise Refused(_REFUSALS[s.state])
        if s.state is not State.DRAINING:
            self.silence()
            s.drain()
        nap_ns = max(s.traits.period * 500_000_000 // RATE, 1_000_000)
        nap = -(-nap_ns // 1_000_000) * MS
        silent = 0
        while True:
            self.ask()
            if s.state is State.SETUP:
                return
            if s.state is not State.DRAINING:
                raise Refused(_REFUSALS.get(s.state, errno.EBADFD))
            if self.usable > silent:
                s.fill(s.appl_ptr + silent, self.usable - silent)
                silent = self.usable
            self.card.sleep(s, nap)

    def recover(self) -> None:
        """alsamm/_c/recovery.c: resume, or prepare, refill and start."""
        s = self.stream
        state = s.status()[0]
        frame, ahead = self.frame, self.ahead
        if state not in (State.XRUN, State.SUSPENDED):
            raise Refused(errno.EBADFD)
        ran = state is State.XRUN or s.suspended_state is State.RUNNING
        first_lost, kind = frame + min(0, ahead), "suspend" if state is State.SUSPENDED else "xrun"
        if state is State.SUSPENDED:
            if self.card.powered_off:
                raise Refused(errno.ESTRPIPE)
            try:
                s.resume()
            except Refused as refused:
                if refused.errno != errno.ENOSYS:
                    raise
            else:
                self.accounts.append(Account(kind, first_lost, first_lost, 0, 0))
                if s.state is State.PREPARED and not s.capture and 0 < s.hw_avail >= s.start_threshold:
                    s.start()
                s.status()  # for the gap's length
                return
        following = self.next_frame
        s.prepare()
        self.anchor = (following, 0)
        self.silence()
        refill = 0 if s.capture or not ran else self.refill
        lost = following - (frame if s.capture else frame + ahead)
        self.accounts.append(Account(kind, first_lost, following, lost, refill))
        if not s.capture and self.refill:
            self.set_appl_ptr(self.refill)
        if ran and (s.capture or self.refill):
            s.start()
        s.status()
