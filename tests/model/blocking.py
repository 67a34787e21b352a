"""The calls that wait, look by look."""

from __future__ import annotations

import errno
from collections.abc import Iterator

import numpy as np

from alsamm.enums import State
from tests.model.card import MS
from tests.model.kernel import Frames, Refused
from tests.model.ring import Account, BaseRing, Full, Overwritten

__all__ = ["ModelRing"]

_PATIENCE = 51 * MS  # of a blocking call's poll: alsamm/_c/blocking.c looks for signals so often
_ENDLESS = 2000


class ModelRing(BaseRing):
    """One mapped PCM, with all that it can do."""

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
        """Each look of a blocking call, whether frames moved since it last slept; it sleeps after ``self.sleeps``."""
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

    def fill(self, frames: int, *, recover: bool) -> Frames:  # noqa: C901 -- as alsamm_fill
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
        if lost > s.traits.boundary - s.traits.buffer:  # appl_ptr is ahead, or as good as that where boundary is small
            s.xrun()
            return
        s.appl_ptr = s.hw_ptr  # where the card knows no rewinds in steps that it takes (rule D4)
        self.anchor = (frame + lost, s.appl_ptr)
        self.accounts.append(Account("xrun", frame, frame + lost, lost, 0))
