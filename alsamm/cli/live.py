"""What a command shows while it runs, until it is to end."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from alsamm.cli.levels import Level
from alsamm.cli.report import say
from alsamm.cli.screen import Screen

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Held", "Live"]

_PLAIN_EVERY = 1.0
_PEAK_HOLD = 1.5
_OVER_HOLD = 4.0


class Live:
    """All lines on a terminal, many times a second; elsewhere the first one, once a second.

    ``seconds``: how long; None: until Ctrl-C.

    Synchronization: none; one thread at a time.
    """

    def __init__(self, seconds: float | None) -> None:
        self._screen = Screen(file=sys.stdout)
        now = time.monotonic()
        self._begin = now
        self._end = None if seconds is None else now + seconds
        self._next = now + _PLAIN_EVERY

    @property
    def going(self) -> bool:
        """Whether it is not to end yet."""
        return self._end is None or time.monotonic() < self._end

    @property
    def due(self) -> bool:
        """Whether ``show`` would show now."""
        return self._screen.due if self._screen.seen else time.monotonic() >= self._next

    @property
    def width(self) -> int:
        """Columns there are."""
        return self._screen.width

    def show(self, lines: Sequence[str]) -> None:
        """Draw them, or print the first one with the seconds before it."""
        if self._screen.seen:
            self._screen.show(lambda: lines, now=True)
            return
        self._next += _PLAIN_EVERY
        say(f"{time.monotonic() - self._begin:7.1f} s  {lines[0]}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._screen.clear()


class Held:
    """Levels as people can read them: peaks stay a second and a half, and that a channel was at full scale four.

    Synchronization: none; one thread at a time.
    """

    def __init__(self, channels: int) -> None:
        self._peaks = [(-math.inf, 0.0)] * channels
        self._overs = [-math.inf] * channels
        self.overs = 0
        """How often any channel was at full scale, at most once for each ``take``."""

    def take(self, levels: Sequence[Level], now: float) -> list[Level]:
        """Those of now, held; ``now``: seconds."""
        self.overs += any(level.over for level in levels)
        held: list[Level] = []
        for channel, level in enumerate(levels):
            peak, since = self._peaks[channel]
            if level.peak >= peak or now - since > _PEAK_HOLD:
                self._peaks[channel] = peak, _ = level.peak, now
            if level.over:
                self._overs[channel] = now
            held.append(Level(peak, level.rms, now - self._overs[channel] < _OVER_HOLD))
        return held
