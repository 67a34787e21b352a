"""What MmapPlayback and MmapCapture promise on top of the kernel: when they ask the card, commit, refuse, start, recover."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from alsamm.enums import State
from tests.model.card import MS, RATE, ModelCard
from tests.model.kernel import EITHER, Frames, Refused, Stream

__all__ = ["Account", "Argument", "Full", "ModelRing", "Overwritten"]

_PATIENCE = 51 * MS  # of a blocking call's poll: alsamm/_c/blocking.c looks for signals so often
_ENDLESS = 2000
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
class ModelRing:
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
        """Rule G5: with less than a period free the card may write over what is read; a refused page is always asked for."""
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
            self.anchor = (number, s.appl_ptr)
        if before is State.PREPARED and not s.capture and queued + frames >= s.start_threshold:
            self.start_due = True

    start_due = False

    def start_if_due(self) -> None:
        due, self.start_due = self.start_due, False
        if due:
            self.stream.start()

    def _place(self, frames: int) -> Frames:
        return (self.stream.appl_ptr + np.arange(frames)) % self.stream.traits.buffer

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
        taken = self.stream.ring[self._place(frames)].copy()
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

    # ---- waiting ----

    def look_around(self) -> None:
        """What wait and the blocking calls see: of a capture without its pages always the card's own place."""
        if self.stream.capture and not self.mapped:
            self.ask()

    def enough(self) -> bool:
        s = self.stream
        self.require_movable()
        if s.capture and s.state is State.PREPARED:
            raise Full  # it would never wake (rule I5)
        if s.state is State.DRAINING:
            if not s.avail:
                raise Refused(errno.EBADFD)
            return True
        return s.avail >= s.avail_min

    def wait(self) -> None:
        """Rule I6."""
        s = self.stream
        if self.mapped and s.state is State.RUNNING and s.avail >= s.avail_min:
            return
        self.look_around()
        while not self.enough():
            assert self.card.sleep(s, 50 * MS), "the generator waits for what comes soon only"
            self.look_around()

    def wait_not_at_all(self) -> bool:
        """With a timeout of 0: the card is asked, once."""
        self.ask()
        return self.enough()

    def _portion(self, frames: int, left: int, avail_min: int, moving: bool) -> int:
        """A period at the most; nothing while less than avail_min is there."""
        period = self.stream.traits.period
        least = min(avail_min, self.stream.traits.buffer)
        if moving:
            least = min(least, period)
        return 0 if frames < min(left, least) else min(frames, left, period)

    def _looks(self, recover: bool) -> Iterator[bool]:
        """Each look of a blocking call, and whether frames moved since it last slept; its sleep follows a ``self.slept``."""
        asked = moving = False
        for _ in range(_ENDLESS):
            while True:
                if asked:
                    self.ask()
                else:
                    self.look_around()
                    self.ask_if_late()
                asked = False
                try:
                    self.require_movable()
                    break
                except Refused as refused:
                    if not recover or refused.errno not in (errno.EPIPE, errno.ESTRPIPE):
                        raise
                    self.recover()
            self.sleeps = False
            yield moving
            moving = not self.sleeps and (moving or self.moved_some)
            if self.sleeps:
                asked = not self.card.sleep(self.stream, _PATIENCE)
        raise AssertionError("the generator made a blocking call that would never end")

    sleeps = moved_some = False

    def write_all(self, frames: Frames, *, recover: bool) -> int:
        """A period at a time (alsamm/_c/blocking.c), after what can be written at once."""
        s = self.stream
        try:
            self.ask_if_late()
            self.require_movable()
            self.done = min(len(frames), self.usable)
            s.ring[self._place(self.done)] = frames[: self.done]
            self.publish(self.done)
            if self.done == len(frames) and not self.start_due:
                return self.done
        except Refused:
            self.done = 0
        self.start_due = False
        for moving in self._looks(recover):
            self.moved_some = False
            queued = max(0, s.hw_avail)
            if s.state is State.PREPARED and queued and queued >= s.start_threshold:
                s.start()
                continue
            if self.done == len(frames):
                return self.done
            avail_min = 1 if s.state is State.PREPARED else s.avail_min
            portion = self._portion(self.usable, len(frames) - self.done, avail_min, moving)
            if portion:
                s.ring[self._place(portion)] = frames[self.done : self.done + portion]
                self.publish(portion)
                self.start_due = False
                self.done += portion
                self.moved_some = True
            elif s.state is State.PREPARED:
                raise Full
            else:
                self.sleeps = True
        raise AssertionError

    def fill(self, frames: int, *, recover: bool) -> Frames:
        s = self.stream
        taken: list[Frames] = []
        try:
            taken.append(self.take(frames))
            if self.done == frames:
                return taken[0]
        except (Refused, Overwritten):
            self.done = 0
        if not frames:
            return np.empty(0, np.int64)
        for moving in self._looks(recover):
            self.moved_some = False
            if s.state is State.PREPARED:
                s.start()
                continue
            avail_min = s.avail_min
            if s.state is State.DRAINING:
                avail_min = 1
                if not s.avail:
                    raise Refused(errno.EBADFD)
            portion = self._portion(s.avail, frames - self.done, avail_min, moving)
            if not portion:
                self.sleeps = True
                continue
            overwritten = s.avail > s.traits.buffer
            block = s.ring[self._place(portion)].copy()
            if not overwritten:
                self.ask_if_full()
                overwritten = s.avail > s.traits.buffer
            if overwritten:
                if not recover:
                    raise Overwritten
                self._skip_what_was_overwritten()
                continue
            taken.append(block)
            self.publish(portion)
            self.done += portion
            self.moved_some = True
            if self.done == frames:
                return np.concatenate(taken)
        raise AssertionError

    def _skip_what_was_overwritten(self) -> None:
        self.ask()
        s = self.stream
        if s.state is State.XRUN:
            return
        lost, frame = s.avail, self.frame
        s.appl_ptr = s.hw_ptr  # where the card knows no rewinds in steps that it takes (rule D4)
        self.anchor = (frame + lost, s.appl_ptr)
        self.accounts.append(Account("xrun", frame, frame + lost, lost, 0))

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

