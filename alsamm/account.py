"""What a stream tells of itself: where it was when, and what came between."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

__all__ = ["Interruption", "Position"]


class Position(NamedTuple):
    """A place in a stream and the time at which the card was there; they belong together."""

    frame: int
    """Frames that the card had played or captured, counted from the stream's first one; it never goes back."""
    time_ns: int
    """CLOCK_MONOTONIC, nanoseconds: as time.monotonic_ns()."""


@dataclass(frozen=True)
class Interruption:
    """A stop of the card that the stream recovered from.

    Synchronization: a value; nothing to lock.
    """

    kind: Literal["xrun", "suspend"]
    time_ns: int
    """When the card stopped (CLOCK_MONOTONIC); where nobody tells that, when it was noticed."""
    frame: int
    """The first frame that was lost, or would have been: as Position counts them."""
    resumed: int
    """The number that the stream went on with: those from ``frame`` to here were not heard, or not captured."""
    lost: int
    """Playback: committed and not played. Capture: captured and not read. Of a card that was stopped between two
    interrupts, playback may have played up to a period of them: the kernel does not tell."""
    silence: int
    """Frames of silence that playback begins anew with."""
    gap_ns: int
    """From the stop to the new start: that long nothing was heard, or captured."""
