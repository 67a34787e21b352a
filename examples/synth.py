"""A polyphonic synth: a score, or notes that are typed, to sound with two periods of 64 frames.

python examples/synth.py --device hw:0 "C4:0.25 E4:0.25 G4:0.25 R:0.1 C4+E4+G4:1"
python examples/synth.py --device hw:0          # then type "C4 E4 G4" and Enter, as often as you like

Shows ``playback(...).periods()``: each turn gives the card's own memory to be filled, and costs one system call.
"""

from __future__ import annotations

import argparse
import math
import re
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from typing import Any

import numpy as np

import alsamm

VOICES, GAIN, ATTACK, RELEASE = 16, 0.2, 0.005, 0.05
SEMITONES = dict(zip("CDEFGAB", (-9, -7, -5, -4, -2, 0, 2), strict=True))


def frequency(name: str) -> float:
    """In Hz, of ``A4`` or ``C#5`` or ``Bb-1``; 0 of ``R``, a rest."""
    if name == "R":
        return 0.0
    found = re.fullmatch(r"([A-G])([#b]?)(-?\d)", name)
    if found is None:
        raise SystemExit(f"{name!r} is no note such as C4, F#3, Bb5 or R")
    semitone = SEMITONES[found[1]] + {"": 0, "#": 1, "b": -1}[found[2]] + 12 * (int(found[3]) - 4)
    return float(440 * 2 ** (semitone / 12))


def notes(text: str) -> Iterator[tuple[float, float, float]]:
    """Of each note its frequency, and when it begins and ends, in seconds; ``+`` joins those that sound at once."""
    now = 0.0
    for chord in text.split():
        names, _, seconds = chord.partition(":")
        begin, now = now, now + float(seconds or 0.5)
        yield from ((frequency(name), begin, now) for name in names.split("+"))


class Synth:
    """Sixteen voices: a period of them costs the same however many sound, so that no chord is late."""

    def __init__(self, rate: int, period: int) -> None:
        self.waiting = deque[tuple[float, float, float]]()
        """Notes, sorted by when they begin, on the clock of ``now``."""
        self.complete = threading.Event()
        self.now = 0.0
        self._step = period / rate
        self._times = np.arange(period) / rate
        self._voices = np.zeros((3, VOICES, 1))  # frequency, begin, end

    @property
    def over(self) -> bool:
        """Whether all that will ever come has been heard."""
        return self.complete.is_set() and not self.waiting and bool((self._voices[2] + RELEASE <= self.now).all())

    def render(self) -> Any:
        """Give the next period, -1 to 1. Times, not phases, are kept: notes start between periods, and none drifts."""
        while self.waiting and self.waiting[0][1] < self.now + self._step:
            oldest = self._voices[2].argmin()
            self._voices[:, oldest, 0] = self.waiting.popleft()
        tones, begins, ends = self._voices
        age = self._times + (self.now - begins)
        level = np.minimum(age / ATTACK, (ends - begins + RELEASE - age) / RELEASE).clip(0, 1)
        wave = np.sin(2 * np.pi * tones * age) * level
        self.now += self._step
        return (GAIN * wave.sum(axis=0)).clip(-1, 1)

    def listen(self) -> None:
        """Play what is typed, each line a chord, until the input ends."""
        for line in sys.stdin:
            with suppress(SystemExit):  # a wrong note is no reason to stop
                now = self.now + self._step
                self.waiting.extend((frequency(name), now, now + 0.5) for name in line.split())
        self.complete.set()


def main(arguments: Sequence[str] | None = None) -> int:
    """Play the score, or what is typed, and tell of xruns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("score", nargs="?", help='"C4:0.25 E4+G4:1"; without it notes are read from the input')
    parser.add_argument("--device", default="hw:0")
    parser.add_argument("--period", type=int, default=64, help="frames")
    parser.add_argument("--periods", type=int, default=2, help="how many the buffer has")
    parser.add_argument(
        "--seconds", type=float, default=math.inf, help="stop then; by default when all has been played"
    )
    parser.add_argument("--realtime", action="store_true", help="as punctual as the system allows")
    options = parser.parse_args(arguments)

    with ExitStack() as stack:
        sizes: dict[str, Any] = {"period_size": options.period, "buffer_size": options.period * options.periods}
        out = stack.enter_context(alsamm.playback(options.device, **sizes))
        synth = Synth(out.rate, out.period_size)
        if options.score is None:
            threading.Thread(target=synth.listen, daemon=True).start()  # before realtime(), which it would inherit
        else:
            synth.waiting.extend(notes(options.score))
            synth.complete.set()
        if options.realtime:
            print(stack.enter_context(alsamm.realtime()))
        end = time.monotonic() + options.seconds
        with suppress(KeyboardInterrupt):
            for period in out.periods():
                if synth.over or time.monotonic() >= end:
                    break
                period[...] = (32767 * synth.render())[:, None]
        print(f"{out.stats.frames} frames, {out.stats.xruns} xruns")
    return 0


if __name__ == "__main__":
    sys.exit(main())
