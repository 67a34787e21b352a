"""ClockModel: a card's clock, learnt from its positions."""

from __future__ import annotations

import math

from alsamm.account import Position
from alsamm.errors import ArgumentError, StateError

__all__ = ["ClockModel"]

_SECOND = 1e-9
_NS = 1e9
_MILLION = 1e6

# What is believed before anything was measured, as one pair that is forgotten as all others: crystals are this near to
# their nominal rate, and timestamps this late. It keeps the first few pairs, of which one came late, from giving a rate
# that no crystal has.
_LIKELY_PPM = 1000.0
_LIKELY_JITTER = 1e-3

_CLIP = 3.0
_CLIP_FROM = 16  # pairs: before that nobody knows what is usual
_FORGET_MOST = 0.5
_FRAME_VARIANCE = 1 / 12  # positions are whole frames


class ClockModel:
    """The line through the positions of one card: which frame is when, and how fast its crystal really is.

    ``rate`` is the nominal one in Hz. ``time_constant``, in seconds: what was seen that long ago counts 1/e. A longer
    one filters more, a shorter one follows a crystal that warms up: a new rate is there after four of them.

    It is a regression of frames on time with exponential forgetting. All that was seen counts alike at first, so it is
    as quick as the data allow, and it needs no bandwidth and no even intervals, which a delay-locked loop (F.
    Adriaensen, "Using a DLL to filter time") has to be told; it also knows its own uncertainty. What is summed up is
    the deviation from the nominal rate since the last pair, so numbers stay small and days of running cost no
    precision. A position that is more than three times the usual jitter off counts as if it were just that (Huber),
    because the timestamps of a busy machine are late now and then, and never early; if the card itself changed, the
    usual grows until the line follows.

    ``position.time_ns`` should be the time at which the card was at that frame. If it is late on average, as after
    interrupts, the line is late by that average; the rate is not.

    Raises ArgumentError for a rate or time constant that is not above 0.

    Synchronization: none; one thread at a time, which may hand on what it reads.
    """

    def __init__(self, rate: float, *, time_constant: float = 20.0) -> None:
        if not 0 < rate < math.inf or not 0 < time_constant < math.inf:
            raise ArgumentError(f"rate {rate}, time_constant {time_constant}: both must be above 0")
        self._nominal = float(rate)
        self._time_constant = float(time_constant)
        self._last: Position | None = None
        self._count = 0
        self._span_ns = 0
        # Seconds and frames of deviation, from the last pair: where the line's middle is, and how much that weighs.
        self._middle = self._deviation = self._weight = 0.0
        # Sums about the middle of each line since the first restart(): time^2, time * deviation, deviation^2; and how
        # many pairs they are of.
        self._times = (_LIKELY_JITTER / (_LIKELY_PPM / _MILLION)) ** 2
        self._products = 0.0
        self._deviations = (_LIKELY_JITTER * self._nominal) ** 2
        self._pairs = 1.0
        # What was told wrongly in advance: the last, the squares, and how alike neighbours are.
        self._error = self._errors = self._alike = 0.0

    def __repr__(self) -> str:
        return f"<ClockModel {self.rate:.3f} Hz, {self.ppm:+.2f} ppm +-{self.rate_error_ppm:.2f}, {self._count} pairs>"

    # ---- learning ----

    def update(self, position: Position) -> None:
        """Take a pair in. One of the same frame as the last carries no news and is left out.

        Raises ArgumentError when the frame went back, or went on in no time: after a jump of either, ``restart``.
        """
        if self._last is None:
            self.restart(position)
            return
        frames, ns = position.frame - self._last.frame, position.time_ns - self._last.time_ns
        if frames == 0:
            return
        if frames < 0 or ns <= 0:
            raise ArgumentError(f"{position} after {self._last}: restart() begins anew where a stream jumped")
        self._last = position
        self._count += 1
        self._span_ns += ns
        seconds = ns * _SECOND
        self._middle -= seconds  # the origin moves to the new pair
        self._deviation -= frames - self._nominal * seconds
        self._forget(math.exp(-seconds / self._time_constant))
        self._take(-self._line(0.0))

    def restart(self, position: Position) -> None:
        """Begin a new line at ``position``, of the rate learnt: after an interruption, where frames and time jumped.

        ``time_ns`` and ``frame`` may be any. What a gap lasted is not held against what was known before it.
        """
        self._last = position
        self._count += 1
        self._middle = self._deviation = self._error = 0.0
        self._weight = 1.0

    def _forget(self, keep: float) -> None:
        keep = max(keep, _FORGET_MOST)  # pairs that come seldom make a line too
        self._weight *= keep
        self._pairs *= keep
        self._times *= keep
        self._products *= keep
        self._deviations *= keep
        self._errors *= keep
        self._alike *= keep

    def _take(self, error: float) -> None:
        if self._count > _CLIP_FROM:
            most = _CLIP * math.sqrt(max(self._variance, _FRAME_VARIANCE))
            error = min(max(error, -most), most)
        self._pairs += 1.0
        self._errors += error * error
        self._alike += error * self._error
        self._error = error
        deviation = error + self._line(0.0) - self._deviation  # from the middle, as the sums are
        seconds = -self._middle
        share = self._weight / (self._weight + 1.0)
        self._times += share * seconds * seconds
        self._products += share * seconds * deviation
        self._deviations += share * deviation * deviation
        self._weight += 1.0
        self._middle += seconds / self._weight
        self._deviation += deviation / self._weight

    # ---- what is known ----

    @property
    def count(self) -> int:
        """Pairs that were taken in."""
        return self._count

    @property
    def span_ns(self) -> int:
        """The time that they cover, without the gaps before restarts; nanoseconds."""
        return self._span_ns

    @property
    def rate(self) -> float:
        """Frames of the card in a second of CLOCK_MONOTONIC; the nominal rate until there are two pairs."""
        return self._nominal + self._slope

    @property
    def ppm(self) -> float:
        """How much faster than nominal the card is, in millionths."""
        return self._slope / self._nominal * _MILLION

    @property
    def jitter_ns(self) -> float:
        """How far pairs usually lie off the line: root mean square, nanoseconds. Outliers count as three times that.

        It begins with a guess of a millisecond, of which less remains with each pair.
        """
        return math.sqrt(self._variance) / self.rate * _NS

    @property
    def rate_error_ppm(self) -> float:
        """The standard deviation of ``ppm``: how uncertain the pairs leave it. inf until there are three.

        Neighbours that are off alike count as one, so it stays honest where errors come in waves; it never claims more
        than whole frames can tell. Once the window is full it is up to twice too large. It is about a rate that holds:
        a change is known only when it shows.
        """
        if self._count < 3:  # noqa: PLR2004 -- two points have no residual
            return math.inf
        alike = min(max(self._alike / self._errors, 0.0), 0.99) if self._errors else 0.0
        variance = max(self._variance * (1 + alike) / (1 - alike), _FRAME_VARIANCE)
        return math.sqrt(variance / self._times) / self._nominal * _MILLION

    def frame_at(self, time_ns: int) -> float:
        """The frame that the card is, was or will be at, at a time of CLOCK_MONOTONIC in nanoseconds.

        Raises StateError before the first pair.
        """
        last = self._origin()
        seconds = (time_ns - last.time_ns) * _SECOND
        return last.frame + (self._nominal * seconds + self._line(seconds))

    def time_at(self, frame: float) -> int:
        """When the card is, was or will be at ``frame``: CLOCK_MONOTONIC, nanoseconds. The reverse of ``frame_at``.

        Raises StateError before the first pair.
        """
        last = self._origin()
        return last.time_ns + round((frame - last.frame - self._line(0.0)) / self.rate * _NS)

    def _origin(self) -> Position:
        if self._last is None:
            raise StateError("no position is known yet: update() comes first")
        return self._last

    def _line(self, seconds: float) -> float:
        """Frames beyond nominal that the line is at, that long after the last pair."""
        return self._deviation + self._slope * (seconds - self._middle)

    @property
    def _slope(self) -> float:
        """Frames a second beyond nominal."""
        return self._products / self._times

    @property
    def _variance(self) -> float:
        """Of a pair about the line, frames^2."""
        return max(self._deviations - self._products**2 / self._times, 0.0) / self._pairs
