"""The round trip of a frame: from where it is written to where it is heard, measured with noise."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

import alsamm
from alsamm.cli.correlation import SURE, Found, find

if TYPE_CHECKING:
    from alsamm.cli.correlation import Array

__all__ = ["Run", "measured"]


@dataclass(frozen=True)
class Run:
    """What one start of both streams gave. Frames."""

    best: Found
    """Of the channel that heard most surely. Its place is the round trip: written beside the captured frame n, heard in
    the captured frame n + place."""
    hears: tuple[int | None, ...]
    """For each captured channel the number of the played one that it heard, from 0; None: none of them."""
    offset: int
    """What DuplexStream.offset says of the round trip."""
    delay: int | None
    """What snd_pcm_delay says: that of playback and that of capture, at once; None where a PCM does not tell."""
    peak: float
    """The loudest that was heard, 1.0 is full scale."""

    @property
    def heard(self) -> bool:
        """Whether the noise was found at all."""
        return self.best.confidence >= SURE

    @property
    def beyond(self) -> float:
        """Frames by which the round trip is longer than the offset says."""
        return self.best.place - self.offset

    @property
    def swapped(self) -> bool:
        """Whether a channel heard another one's noise."""
        return any(source not in (None, channel) for channel, source in enumerate(self.hears))

    def why_not(self) -> str:
        """Why it was not heard."""
        if not self.peak:
            return "nothing is heard, not even noise: is the cable plugged in, its input chosen and not muted?"
        return (
            f"what is heard (peak {20 * math.log10(self.peak):.1f} dBFS) is not what was played, or too little of it"
            f" (confidence {self.best.confidence:.1f} of {SURE:g}): is this the right cable, and the volume up?"
        )


def measured(
    opening: Callable[[], alsamm.DuplexStream], played: Array, times: int, longest: int, failed: Callable[[str], object]
) -> Iterator[Run]:
    """That many runs, each with both streams opened anew; ``longest``: frames beyond the buffer that may pass.

    Of ``dtype`` float32. A run that an xrun or a suspend disturbed is told to ``failed`` and made again, as often as
    there are runs; then the error goes through. Raises as ``opening`` and the streams.
    """
    spare = times
    for _ in range(times):
        while True:
            try:
                with opening() as io:
                    run = _run(io, played, longest)
                    io.close()  # at once: nobody needs to hear the rest
                break
            except (alsamm.XrunError, alsamm.SuspendedError) as error:
                spare -= 1
                if spare < 0:
                    raise
                failed(str(error))
        yield run


def _delay(io: alsamm.DuplexStream, number: int) -> int | None:
    """What snd_pcm_delay says of the round trip, in the turn of the captured frame ``number``; None: it does not tell.

    What is written now is heard after playback's delay. What is read next was captured a delay of capture's ago; it is
    behind the turn's frames where those were read for being converted, and not shown where they lie.
    """
    try:
        return io.playback.delay + io.capture.delay + io.capture.frame - number
    except alsamm.AlsaError:  # an xrun too, of which the next turn tells
        return None


def _run(io: alsamm.DuplexStream, played: Array, longest: int) -> Run:
    period = io.period_size
    turns = -(-(len(played) + io.playback.buffer_size + longest) // period)
    heard = np.empty((turns * period, io.capture.channels), "f4")
    delays: list[int] = []
    begin = io.capture.frame
    for turn, (came, goes) in enumerate(io.periods(turns)):
        here = turn * period
        part = played[here : here + period]
        goes[...] = 0
        goes[: len(part)] = part
        heard[here : here + period] = came
        if (delay := _delay(io, begin + here)) is not None:
            delays.append(delay)
    channels = range(io.playback.channels)
    found = [max(((find(one, played[:, k]), k) for k in channels), key=_surely) for one in heard.T]
    return Run(
        best=max(found, key=_surely)[0],
        hears=tuple(k if best.confidence >= SURE else None for best, k in found),
        offset=io.offset,
        delay=round(statistics.median(delays)) if delays else None,
        peak=float(np.abs(heard).max(initial=0.0)),
    )


def _surely(found: tuple[Found, int]) -> float:
    return found[0].confidence
