"""How what was played differs from what was expected, in words. Samples are floats (frames, channels)."""

from __future__ import annotations

import numpy as np

from alsamm.testing.sound import Floats

__all__ = ["begin", "difference", "noise", "sounding"]

_NEAR = 4  # frames by which a tolerance may hide where a sound begins
_KEY = 16  # frames that tell a place in a sound from another
_ROWS = 3  # shown on both sides of the first wrong frame


def sounding(samples: Floats, limit: float, quiet: float) -> tuple[int, int]:
    """The first frame that is no silence, and the one behind the last; (0, 0) where there is none."""
    loud = np.flatnonzero((np.abs(samples - quiet) > limit).any(axis=1))
    return (int(loud[0]), int(loud[-1]) + 1) if len(loud) else (0, 0)


def begin(played: Floats, wanted: Floats, limit: float, quiet: float) -> int:
    """The frame at which what was expected begins, by where sound begins in both."""
    ours, theirs = (sounding(samples, limit, quiet) for samples in (wanted, played))
    if ours == (0, 0) or theirs == (0, 0):
        return 0
    near = theirs[0] - ours[0]
    if not limit:
        return max(0, near)

    def error(start: int) -> float:
        there = played[start : start + len(wanted)]
        return float(np.abs(there - wanted[: len(there)]).mean()) if len(there) else float("inf")

    return min(range(max(0, near - _NEAR), max(0, near + _NEAR) + 1), key=error)


def noise(samples: Floats, first: int, limit: float, quiet: float, where: str) -> str | None:
    """What is said of samples that are no silence, the first frame's number being ``first``; None if they are."""
    wrong = np.abs(samples - quiet) > limit
    frames = np.flatnonzero(wrong.any(axis=1))
    if not len(frames):
        return None
    channel = int(np.argmax(wrong[frames[0]]))
    return (
        f"  {len(frames)} frames are no silence {where}: the first is frame {first + frames[0]} of what was played, "
        f"channel {channel}: {samples[frames[0], channel]:.9g}"
    )


def difference(played: Floats, wanted: Floats, start: int, limit: float, quiet: float) -> str | None:
    """What is said of frames that were not ``played`` as ``wanted`` from ``start`` on; None if they were."""
    there = played[start : start + len(wanted)]
    wrong = ~(np.abs(there - wanted[: len(there)]) <= limit)  # NaN is wrong too
    frames = np.flatnonzero(wrong.any(axis=1))
    if not len(frames):
        if len(there) == len(wanted):
            return None
        return f"  only {len(there)} of {len(wanted)} frames were played; those are as expected"
    first = int(frames[0])
    channel = int(np.argmax(wrong[first]))
    place = f"frame {first} of {len(wanted)} (frame {start + first} of what was played), channel {channel}"
    lines = [
        f"  {place}: expected {wanted[first, channel]:.9g}, played {there[first, channel]:.9g}",
        f"  {len(frames)} of {len(wanted)} frames differ: the first is {first}, the last {frames[-1]}",
    ]
    if len(there) < len(wanted):
        lines.append(f"  only {len(there)} of {len(wanted)} frames were played")
    if guess := _guess(played[start + first :], wanted, first, limit, quiet):
        lines.append(f"  from there on {guess}")
    lines.append(f"  {'frame':>8} {'expected':>14} {'played':>14}   (channel {channel})")
    for n in range(max(0, first - _ROWS), min(len(there), first + _ROWS + 1)):
        mark = ">" if n == first else " "
        lines.append(f"{mark} {n:>8} {wanted[n, channel]:>14.9g} {there[n, channel]:>14.9g}")
    return "\n".join(lines)


def _guess(rest: Floats, wanted: Floats, first: int, limit: float, quiet: float) -> str | None:
    """What became of a sound that is wrong from its frame ``first`` on, if it goes on somewhere else."""
    silent = sounding(rest, limit, quiet)[0]
    for gap in {0: 0, silent: 0}:  # without the silence that comes first, if the place cannot be told with it
        key = rest[gap : gap + _KEY]
        if len(key) < _KEY or sounding(key, limit, quiet) == (0, 0):
            continue
        starts = np.flatnonzero(np.abs(wanted[: len(wanted) - _KEY + 1, 0] - key[0, 0]) <= limit)
        places = [int(at) for at in starts if (np.abs(wanted[at : at + _KEY] - key) <= limit).all()]
        if not places:
            continue
        found = min(places, key=lambda at: abs(at - first))
        parts = [f"{gap} frames of silence were played"] if gap else []
        if found > first:
            parts.append(f"{found - first} frames are missing")
        elif found < first:
            parts.append(f"{first - found} frames are heard again")
        if parts:
            return ", and ".join(parts)
    return None
