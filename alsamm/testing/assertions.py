"""Assertions on what a software card played."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy.typing as npt

from alsamm.testing.difference import begin, difference, noise, sounding
from alsamm.testing.sound import frequency_of, level_of
from alsamm.testing.tape import Tape

if TYPE_CHECKING:
    from alsamm.sim import Card

__all__ = ["assert_no_xruns", "assert_played", "assert_silent", "assert_tone"]


def assert_played(
    card: Card,
    expected: npt.ArrayLike,
    *,
    start: int | None = None,
    tolerance: float | None = None,
    silence: bool = True,
) -> None:
    """Assert that ``expected`` was played, in order and whole, with silence before and behind it.

    ``expected``: (frames, channels), or (frames,) for one channel. Of the dtype that the card holds it is compared as
    it is. Of any other, both are taken as fractions of full scale: what a stream of ``dtype="f4"`` was given can be
    compared with what a 16-bit card played. Packed 3-byte samples are compared so too.

    ``start``: the frame of all that were played with which it begins; None: where the sound begins.

    ``tolerance``: how far a sample may be off, in the numbers that are compared: units of the card's samples, or
    fractions. None: 0 for samples of one dtype, else the smallest step of the card's.

    ``silence=False`` does not care what was played before and behind.

    Raises AssertionError, ArgumentError for a shape that is not the card's, StateError when nothing was configured.
    """
    __tracebackhide__ = True
    tape = Tape.of(card)
    wanted, units, step = tape.compared(expected)
    played = tape.samples(units)
    limit = step if tolerance is None else tolerance
    quiet = tape.silent(units)
    if start is None:
        start = begin(played, wanted, limit, quiet)
    problem = difference(played, wanted, start, limit, quiet)
    if problem is None and silence:
        end = start + len(wanted)
        problem = noise(played[:start], 0, limit, quiet, "before what was expected")
        problem = problem or noise(played[end:], end, limit, quiet, "behind what was expected")
    if problem is not None:
        raise AssertionError(f"{card.device} did not play what was expected\n{problem}")


def assert_silent(card: Card, start: int = 0, stop: int | None = None, *, tolerance: float = 0) -> None:
    """Assert that of what was played the frames from ``start`` up to ``stop`` are silence.

    ``tolerance`` in units of the card's samples, of packed ones in fractions of full scale. Raises AssertionError.
    """
    __tracebackhide__ = True
    tape = Tape.of(card)
    samples = tape.samples(tape.units)[start:stop]
    problem = noise(samples, start, tolerance, tape.silent(tape.units), "where silence was expected")
    if problem is not None:
        raise AssertionError(f"{card.device}\n{problem}")


def assert_tone(
    card: Card,
    frequency: float,
    *,
    level: float | None = None,
    start: int | None = None,
    stop: int | None = None,
    channel: int | None = None,
    within_hz: float = 1.0,
    within_db: float = 0.5,
) -> None:
    """Assert that a tone was played, in every channel or in ``channel``.

    ``frequency`` in Hz, as ``frequency_of``; ``level`` in dBFS, as ``level_of``. ``start`` and ``stop``: of all frames
    that were played; None: where the sound begins and ends. Raises AssertionError.
    """
    __tracebackhide__ = True
    tape = Tape.of(card)
    heard = tape.samples(exact=False)
    first, last = sounding(heard, 0.0, 0.0)
    heard = heard[first if start is None else start : last if stop is None else stop]
    if len(heard) < 2:  # noqa: PLR2004 -- a tone has a period
        raise AssertionError(f"{card.device} played no tone: {len(heard)} frames that are no silence")
    for number in range(heard.shape[1]) if channel is None else [channel]:
        found, loud = frequency_of(heard[:, number], tape.rate), level_of(heard[:, number])
        if abs(found - frequency) > within_hz or (level is not None and abs(loud - level) > within_db):
            at = "" if level is None else f" at {level:.1f} dBFS (within {within_db:g} dB)"
            raise AssertionError(
                f"{card.device}, channel {number}: {found:.2f} Hz at {loud:.1f} dBFS; "
                f"expected {frequency:g} Hz (within {within_hz:g} Hz){at}"
            )


def assert_no_xruns(card: Card) -> None:
    """Assert that neither direction had an xrun since the card was made, also none that a stream recovered from."""
    __tracebackhide__ = True
    found = [f"{truth.xruns} in {way}" for way in ("playback", "capture") if (truth := getattr(card, way)).xruns]
    if found:
        raise AssertionError(f"{card.device} had xruns: {', '.join(found)}")
