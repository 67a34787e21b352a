"""Noise that is found again in what was heard: at which frame, played on which channel, how loud, and how surely."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["SURE", "Array", "Found", "find", "noise"]

Array = np.ndarray[Any, np.dtype[Any]]

SURE = 8.0
"""Confidence from which on something was found; of 100,000 places in any other sound the best has some 4.5."""

_AROUND = 32
_STEPS = 64
_QUIET = 1e-12


@dataclass(frozen=True)
class Found:
    """Where the noise of one channel begins in what another one heard."""

    frame: int
    place: float
    """The frame, with its fraction; ``frame`` itself where every sample came as it was sent."""
    exact: bool
    """Every sample is the one that was played, bit for bit."""
    gain: float
    """Heard : played; below 0 where the polarity is inverted."""
    confidence: float
    """Standard deviations by which the place stands out of what chance gives; of n frames alone it is sqrt(n).

    The noise is white, so at a place where it is not the correlation with any other sound whatsoever, divided by the
    energies of both, has a deviation of 1 / sqrt(n).
    """

    @property
    def decibels(self) -> float:
        """The gain in dB, whatever the polarity."""
        return 20 * math.log10(abs(self.gain)) if self.gain else -math.inf


def noise(frames: int, channels: int, amplitude: float) -> Array:
    """White noise of -amplitude and +amplitude, float32, (frames, channels): the same every time, each channel its own.

    Of two values, so that no other signal of this peak is louder.
    """
    signs = np.random.default_rng(frames).integers(0, 2, (frames, channels)) * 2 - 1
    return (signs * amplitude).astype("f4")


def find(heard: Array, played: Array) -> Found:
    """Where ``played`` begins in ``heard``; both one channel. The best place there is: see its confidence.

    ``heard`` is at least as long as ``played``.
    """
    product, alike = _correlation(heard.astype("f8"), played.astype("f8"))
    frame = int(np.abs(alike).argmax())
    exact = bool((heard[frame : frame + len(played)] == played).all())
    return Found(
        frame,
        float(frame) if exact else frame + _fraction(product, frame),
        exact,
        float(product[frame] / (played.astype("f8") @ played)),
        float(abs(alike[frame]) * math.sqrt(len(played))),
    )


def _correlation(heard: Array, played: Array) -> tuple[Array, Array]:
    """At each place where all of ``played`` fits in, as it is and with the energies divided out."""
    size = 1 << (len(heard) + len(played) - 1).bit_length()
    spectrum = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(played, size))
    product = np.fft.irfft(spectrum, size)[: len(heard) - len(played) + 1]
    sums = np.concatenate([[0.0], np.cumsum(heard * heard)])
    energy = sums[len(played) :] - sums[: len(sums) - len(played)]
    total = float(played @ played)
    quiet = energy <= _QUIET * total
    alike = np.where(quiet, 0.0, product / np.sqrt(np.where(quiet, 1.0, energy) * total))
    return product, alike


def _fraction(product: Array, frame: int) -> float:
    """How far from ``frame`` the top lies: the peak of white noise is a sinc, drawn finer through its neighbours."""
    first, last = max(0, frame - _AROUND), min(len(product), frame + _AROUND + 1)
    near, places = product[first:last], np.arange(first, last) - frame
    finer = np.linspace(-1.0, 1.0, 2 * _STEPS + 1)
    apart = finer[:, None] - places
    window = np.cos(np.clip(apart / (_AROUND + 1), -1, 1) * np.pi / 2) ** 2
    curve = np.abs((np.sinc(apart) * window) @ near)
    top = int(np.clip(curve.argmax(), 1, len(finer) - 2))
    before, at, after = (float(curve[top + n]) for n in (-1, 0, 1))
    bend = 2 * at - before - after
    return float(finer[top]) + ((after - before) / (2 * bend) / _STEPS if bend > 0 else 0.0)
