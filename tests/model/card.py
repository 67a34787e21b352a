"""The hardware under the model: two streams of one rate, their interrupts, what is heard, and faults."""

from __future__ import annotations

import errno
from typing import Any

import numpy as np

from alsamm.enums import State
from tests.model.kernel import SILENCE, Frames, Refused, Stream, Traits

__all__ = ["MS", "RATE", "ModelCard"]

RATE = 50_000  # so that a frame is a whole number of nanoseconds, and a millisecond one of frames
MS = RATE // 1000


class ModelCard:
    """A card whose time is in the test's hand."""

    def __init__(self, traits: Traits, *, loop: bool) -> None:
        self.traits = traits
        self.loop = loop
        self.streams = (Stream(False, traits), Stream(True, traits))
        self.frozen = self.powered_off = self.unplugged = False
        self.played: Frames = np.empty(0, np.int64)
        """What was played since it was last looked at."""
        self.heard = 0
        """The last frame that the microphone gave."""

    @property
    def stands_still(self) -> bool:
        return self.frozen or self.powered_off or self.unplugged

    @property
    def running(self) -> list[Stream]:
        return [] if self.stands_still else [stream for stream in self.streams if stream.running]

    @property
    def to_interrupt(self) -> int | None:
        """Frames until a period of any stream ends, whether its interrupt will be lost or not."""
        if self.traits.no_period_wakeup or not self.running:
            return None
        return min(self.traits.period - stream.moved % self.traits.period for stream in self.running)

    def advance(self, frames: int) -> None:
        """Interrupts come at the ends of periods, playback's first (rules H1, G2)."""
        while frames and (running := self.running):
            step = min([frames, *(self.traits.period - s.moved % self.traits.period for s in running)])
            self._move(running, step)
            frames -= step
            for stream in running:
                if stream.running and stream.moved % self.traits.period == 0:
                    stream.interrupt()

    def _move(self, running: list[Stream], frames: int) -> None:
        out, mic = self.streams
        place = {stream: (stream.moved + np.arange(frames)) % self.traits.buffer for stream in running}
        played = out.ring[place[out]] if out in place else None
        if played is not None:
            self.played = np.concatenate([self.played, played])
        if mic in place:
            if self.loop and played is not None:
                mic.ring[place[mic]] = played
            else:
                mic.ring[place[mic]] = np.arange(self.heard + 1, self.heard + 1 + frames)
                self.heard += frames
        for stream in running:
            stream.moved += frames

    def sleep(self, stream: Stream, frames: int) -> bool:
        """poll, for at most ``frames`` of the card's time: whether it is ready."""
        while not stream.poll:
            if not frames:
                return False
            step = frames if self.to_interrupt is None else min(frames, self.to_interrupt)
            self.advance(step)
            frames -= step
        return True

    def wait_drained(self, stream: Stream) -> None:
        """A blocking DRAIN: until no playback of the group drains."""
        while any(not m.capture and m.state is State.DRAINING for m in stream.group):
            assert self.to_interrupt is not None
            self.advance(self.to_interrupt)

    # ---- groups and faults ----

    def link(self, stream: Stream, other: Stream) -> None:
        if stream.state is not other.state:
            raise Refused(errno.EBADFD)
        if len(stream.group) > 1:
            raise Refused(errno.EALREADY)
        stream.group, other.group = [stream, other], [other, stream]

    def unlink(self, stream: Stream) -> None:
        if len(stream.group) == 1:
            raise Refused(errno.EALREADY)
        for one in self.streams:
            one.group = [one]

    def xrun(self, stream: Stream) -> None:
        """The driver's own (snd_pcm_stop_xrun)."""
        if not stream.running:
            raise Refused(errno.EBADFD)
        stream.xrun()

    def suspend(self) -> None:
        for stream in self.streams:
            stream.suspend()
        self.powered_off = True

    def unplug(self) -> None:
        """Rules A6, C13."""
        self.unplugged = True
        for stream in self.streams:
            stream.state = State.DISCONNECTED


def samples(frames: Frames, channels: int) -> np.ndarray[tuple[int, int], np.dtype[np.uint32]]:
    """Frames as U32 samples: a value for each frame and channel, the format's silence, or zeros."""
    channel = np.arange(channels)
    value = np.where(frames > 0, frames, 0)[:, None] * channels + channel[None, :]
    value = np.where(frames[:, None] > 0, value, 0)
    return np.where(frames[:, None] == SILENCE, 1 << 31, value).astype(np.uint32)


def frames_of(block: np.ndarray[Any, Any]) -> Frames:
    """The reverse; raises AssertionError where a frame's channels do not belong together."""
    channels = block.shape[1]
    first = block[:, 0].astype(np.int64)
    found = np.where(first == 1 << 31, SILENCE, first // channels)
    np.testing.assert_array_equal(samples(found, channels), block)
    return found
