"""By which road a PCM's stream is reached once it is configured: what every road can do.

The kernel's own PCMs go by ioctls on their descriptor, all others by alsa-lib. There is no third way and no mixing:
alsa-lib keeps an appl_ptr of its own and would push a stale one (rules L1, L4).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from alsamm import errors
from alsamm._c import CAPTURE_FAILURES, PLAYBACK_FAILURES
from alsamm.checks import seconds_of
from alsamm.enums import Direction, State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from alsamm._c._native import CData
    from alsamm.alsalib.status import PcmStatus
    from alsamm.device import Geometry

__all__ = ["Deadline", "Road", "capture_never_wakes", "default_timeout", "failures", "frame_count"]


class Road(Protocol):
    """The stream of one PCM. Frames and errors are as PCM tells them."""

    def state(self) -> State:
        """What the stream is doing."""
        ...

    def status(self) -> PcmStatus:
        """All of one moment."""
        ...

    def delay(self) -> int:
        """Frames to the speaker or from the microphone."""
        ...

    def avail(self, geometry: Geometry) -> int:
        """Frames that can be moved now."""
        ...

    def prepare(self) -> None:
        """Make ready to start."""
        ...

    def start(self) -> None:
        """Start."""
        ...

    def drop(self) -> None:
        """Stop at once."""
        ...

    def drain(self, geometry: Geometry, timeout: float | None) -> None:
        """Stop when all is played."""
        ...

    def pause(self, enable: bool = True) -> None:
        """Hold, or go on."""
        ...

    def resume(self) -> None:
        """Go on after a suspend."""
        ...

    def reset(self) -> None:
        """Forget what is buffered."""
        ...

    def rewind(self, frames: int) -> int:
        """Take back what was written."""
        ...

    def forward(self, frames: int) -> int:
        """Skip."""
        ...

    def hwsync(self) -> None:
        """Ask the card where it is."""
        ...

    def xrun(self) -> None:
        """Stop as by an xrun."""
        ...

    def link(self, other: Road) -> None:
        """Tie to another stream."""
        ...

    def unlink(self) -> None:
        """Untie."""
        ...

    def wait(self, geometry: Geometry, timeout: float) -> None:
        """Sleep until avail_min is there."""
        ...

    def transfer(self, memory: CData, frames: int) -> int:
        """Write or read up to ``frames`` interleaved frames, once; gives how many, or a negative errno."""
        ...

    def failure(self, code: int, func: str) -> errors.AlsaError:
        """The exception for a negative result of this PCM. Raises ClosedError where it was closed meanwhile."""
        ...


def default_timeout(geometry: Geometry) -> float:
    """Seconds after which a stream that does not move is taken for dead: the whole buffer's time, and one more."""
    return geometry.buffer_size / geometry.rate + 1.0


class Deadline:
    """When a wait ends."""

    def __init__(self, timeout: float, what: str) -> None:
        self._end = time.monotonic() + seconds_of(timeout)
        self._message = f"{what} did not come within {timeout:g} s"
        self._over = False

    def milliseconds(self, at_most: float = 3600.0) -> int:
        """What is left for the next sleep, of ``at_most`` seconds; 0 once nothing is, then TimeoutError.

        Between a look at the card and this a process may be stopped, or the system asleep: so there is a last look.
        """
        left = self._end - time.monotonic()
        if left > 0:
            return max(1, round(min(left, at_most) * 1000))
        if self._over:
            raise TimeoutError(self._message)
        self._over = True
        return 0


def capture_never_wakes(state: State, direction: Direction) -> bool:
    """Rule I5: a capture stream that was not started is never ready."""
    return direction == Direction.CAPTURE and state == State.PREPARED


def frame_count(frames: int) -> int:
    """The number, if it can count frames. Raises ArgumentError."""
    if not 0 <= frames < 1 << 30:
        raise errors.ArgumentError(f"{frames} frames: 0 or more, and no more than a card can hold")
    return frames


def failures(direction: Direction) -> Mapping[int, type[errors.AlsaError]]:
    """What an errno means for an open PCM."""
    return PLAYBACK_FAILURES if direction == Direction.PLAYBACK else CAPTURE_FAILURES
