"""By which road a PCM's stream is reached once it is configured: what every road can do.

The kernel's own PCMs go by ioctls on their descriptor, all others by alsa-lib. There is no third way and no mixing:
alsa-lib keeps an appl_ptr of its own and would push a stale one (rules L1, L4).
"""

from __future__ import annotations

import time
from typing import Protocol, TYPE_CHECKING

from alsamm import errors
from alsamm.enums import Direction, State

if TYPE_CHECKING:
    from alsamm._c._native import CData
    from alsamm.device import Geometry
    from alsamm.alsalib.status import PcmStatus

__all__ = ["Deadline", "Road", "capture_never_wakes", "default_timeout", "frame_count"]


class Road(Protocol):
    """The stream of one PCM. Frames and errors are as PCM tells them."""

    def state(self) -> State: ...
    def status(self) -> PcmStatus: ...
    def delay(self) -> int: ...
    def avail(self, geometry: Geometry) -> int: ...
    def prepare(self) -> None: ...
    def start(self) -> None: ...
    def drop(self) -> None: ...
    def drain(self, geometry: Geometry, timeout: float | None) -> None: ...
    def pause(self, enable: bool = True) -> None: ...
    def resume(self) -> None: ...
    def reset(self) -> None: ...
    def rewind(self, frames: int) -> int: ...
    def forward(self, frames: int) -> int: ...
    def hwsync(self) -> None: ...
    def xrun(self) -> None: ...
    def link(self, other: Road) -> None: ...
    def unlink(self) -> None: ...
    def wait(self, geometry: Geometry, timeout: float) -> None: ...
    def transfer(self, memory: CData, frames: int) -> int:
        """Write or read up to ``frames`` interleaved frames, once; gives how many, or a negative errno."""
        ...

    def failure(self, code: int, func: str) -> errors.AlsaError:
        """The exception for a negative result of this PCM."""
        ...


def default_timeout(geometry: Geometry) -> float:
    """Seconds after which a stream that does not move is taken for dead: the whole buffer's time, and one more."""
    return geometry.buffer_size / geometry.rate + 1.0


class Deadline:
    """When a wait ends."""

    def __init__(self, timeout: float, what: str) -> None:
        if timeout < 0:
            raise errors.ArgumentError(f"a timeout of {timeout} s: 0 or more, or None")
        self._end = time.monotonic() + timeout
        self._message = f"{what} did not come within {timeout:g} s"

    def milliseconds(self, at_most: float = 3600.0) -> int:
        """What is left for the next sleep, of ``at_most`` seconds. Raises TimeoutError when nothing is."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError(self._message)
        return max(1, round(min(left, at_most) * 1000))


def capture_never_wakes(state: State, direction: Direction) -> bool:
    """Rule I5: a capture stream that was not started is never ready."""
    return direction == Direction.CAPTURE and state == State.PREPARED


def frame_count(frames: int) -> int:
    """The number, if it can count frames. Raises ArgumentError."""
    if not 0 <= frames < 1 << 30:
        raise errors.ArgumentError(f"{frames} frames: 0 or more, and no more than a card can hold")
    return frames
