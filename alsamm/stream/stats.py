"""Stats: how a stream fared."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Stats"]


@dataclass(frozen=True)
class Stats:
    """What a stream has done so far.

    Synchronization: a value; nothing to lock.
    """

    frames: int
    """Written by you, or read."""
    queued: int
    """Playback: of these, not played yet. Capture: there to be read."""
    xruns: int
    suspends: int
    lost: int
    """Frames: committed and not played, or captured and not read, by interruptions (each told as an Interruption), by
    ``drop`` and ``prepare``, and periods that came too late."""
    late: int
    """The most frames by which a blocking call came later than the card was ready for it; the buffer's rest is what
    was left of the margin."""
    longest_wait: float
    """Seconds."""
    load: float
    """The part of the time since the start that was not spent waiting for the card: 0.0 idle, 1.0 none to spare."""
