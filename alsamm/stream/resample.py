"""Two cards held together: a resampler whose ratio can be steered, and what steers it."""

from __future__ import annotations

import importlib
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from alsamm import errors

if TYPE_CHECKING:
    from alsamm.stream.clock import ClockModel

__all__ = ["DriftResampler", "Hold"]

_MILLION = 1e6
_NS = 1e9
_DTYPES = ("int16", "int32", "float32", "float64")
_SURE_PPM = 10.0
_SMOOTH = 8.0
_SILENCE = 1 << 16  # frames, far more than soxr ever holds back


def _soxr() -> Any:
    try:
        return importlib.import_module("soxr")
    except ImportError as error:
        raise errors.UnsupportedError("resampling needs soxr: pip install alsamm[resample]") from error


class DriftResampler:
    """Changes the rate of a stream by a ``ratio`` that may move a little all the time.

    ``channels`` interleaved channels of ``dtype``: int16, int32, float32 or float64. ``ratio`` is frames in for a frame
    out: nominally the one card's rate by the other's, 1.0 for two cards of one rate.

    The work is libsoxr's variable-rate resampler (soxr.ResampleStream, ``vr=True``; its quality is fixed): distortion
    lies 110 dB below a sine. A new ratio holds from the next frame on and leaves the phase alone, so there is no click;
    changes are to be small because they are heard as pitch. ``Hold`` makes such.

    Raises UnsupportedError without soxr, ArgumentTypeError for another dtype, ArgumentError for channels or a ratio
    that cannot be.

    Synchronization: none; one thread at a time.
    """

    def __init__(self, channels: int, dtype: npt.DTypeLike = "float32", *, ratio: float = 1.0) -> None:
        soxr = _soxr()
        self._dtype: np.dtype[Any] = np.dtype(dtype)
        if self._dtype.name not in _DTYPES or not self._dtype.isnative:
            raise errors.ArgumentTypeError(f"dtype {self._dtype.str}: one of {', '.join(_DTYPES)}")
        if channels < 1:
            raise errors.ArgumentError(f"channels {channels}: one or more")
        self._channels = channels
        self._ratio = _checked(ratio)
        self._most = 2.0 * self._ratio  # soxr has to be told the greatest that will come
        self._stream = soxr.ResampleStream(self._most, 1.0, channels, self._dtype.name, vr=True)
        self._delay = 0
        self.restart()

    def __repr__(self) -> str:
        return f"<DriftResampler {self._channels} x {self._dtype.name} ratio={self._ratio:.7f}>"

    @property
    def ratio(self) -> float:
        """Frames in for a frame out, from the next ``process`` on.

        Raises ArgumentError when set to what is not above 0, or to more than twice what it was made for.
        """
        return self._ratio

    @ratio.setter
    def ratio(self, value: float) -> None:
        if _checked(value) > self._most:
            raise errors.ArgumentError(f"ratio {value}: {self._most} is the most that it was made for")
        self._ratio = value
        self._stream.set_io_ratio(value, 1.0)

    @property
    def delay(self) -> int:
        """Frames in by which what comes out is late: those that the filter has to see beforehand."""
        return self._delay

    def process(self, block: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """What becomes of ``block``, of shape (frames, channels): about frames / ratio of them, a new array.

        It comes ``delay`` frames late, with silence before it. Raises ArgumentTypeError for another dtype,
        ArgumentError for another shape.
        """
        if block.dtype != self._dtype:
            raise errors.ArgumentTypeError(f"the resampler is for {self._dtype.name}; the array is {block.dtype.str}")
        if block.ndim != 2 or block.shape[1] != self._channels:  # noqa: PLR2004 -- (frames, channels)
            raise errors.ArgumentError(f"the array's shape is {block.shape}; it must be (frames, {self._channels})")
        out: npt.NDArray[Any] = self._stream.resample_chunk(block)
        return out

    def restart(self) -> None:
        """Forget the sound that is held back, as after an interruption; the ratio stays.

        The delay begins anew, as silence, so that from the first block on there is as much out as in.
        """
        self._stream.clear()  # which forgets the ratio too
        # Above each octave soxr holds more back, and lets that go at the first ratio below: a burst, so begin below.
        self._stream.set_io_ratio(self._ratio * 0.99, 1.0)
        silence = np.zeros((1, self._channels), self._dtype)
        for fed in range(_SILENCE):
            if len(self._stream.resample_chunk(silence)):
                self._delay = fed
                self._stream.set_io_ratio(self._ratio, 1.0)
                return
        raise errors.UnsupportedError("this soxr gives nothing back")


def _checked(ratio: float) -> float:
    if not 0 < ratio < math.inf:
        raise errors.ArgumentError(f"ratio {ratio}: it must be above 0")
    return float(ratio)


class Hold:
    """Finds the ratio at which a fifo between two cards stays at its ``target``: frames that wait to be played.

    ``rate``: of the card that plays, Hz. ``ratio``: the nominal one, frames in for a frame out. ``time_constant``:
    seconds in which it corrects. ``most_ppm``: how far from nominal it may go.

    A PI controller. The fifo sums up what the rates differ by, so with gains of 2 / T and 1 / T^2 both poles are at
    -1 / T, critically damped: as quick as can be without swinging. T is long because every correction is a change of
    pitch: at 48 kHz and the default one frame too many is 1.4 ppm. Before it comes a low-pass of T / 8, which leaves
    the poles about where they are, and out what the level jumps by from block to block.

    The level should be known finer than in blocks. Two cards' blocks beat, so a level in whole ones jumps by one every
    few minutes, and the pitch follows. ``frames made - playback.frame_at(now)``, by a ClockModel, is smooth.

    Raises ArgumentError for numbers that are not above 0.

    Synchronization: none; one thread at a time.
    """

    def __init__(
        self, target: float, *, rate: float, ratio: float = 1.0, time_constant: float = 30.0, most_ppm: float = 1000.0
    ) -> None:
        if not min(target, rate, time_constant, most_ppm) > 0:
            raise errors.ArgumentError(f"{target=}, {rate=}, {time_constant=}, {most_ppm=}: all must be above 0")
        self.target = float(target)
        self._time_constant = float(time_constant)
        self._proportional = 2 / time_constant / rate
        self._integral = 1 / time_constant**2 / rate
        self._most = most_ppm / _MILLION
        self._nominal = _checked(ratio)
        self._known: float | None = None
        self._learnt = 0.0
        self._correction = 0.0
        self._level: float | None = None
        self._time_ns = 0

    def __repr__(self) -> str:
        return f"<Hold target={self.target:g} level={self.level:g} {self.ppm:+.2f} ppm>"

    @property
    def ratio(self) -> float:
        """Frames in for a frame out: what DriftResampler.ratio should be."""
        return self._nominal * (1 + self._correction)

    @property
    def ppm(self) -> float:
        """How far that is from nominal, in millionths."""
        return self._correction * _MILLION

    @property
    def level(self) -> float:
        """The level as it is smoothed; the target before the first."""
        return self.target if self._level is None else self._level

    def expect(self, capture: ClockModel, playback: ClockModel) -> None:
        """Take from two clocks what the ratio will be, so that no level has to go wrong first. As often as wanted.

        Nothing happens before both rates are known to 10 ppm. At that moment what was learnt from levels is replaced by
        it, for that was the same thing; from then on levels correct what is left.
        """
        if max(capture.rate_error_ppm, playback.rate_error_ppm) > _SURE_PPM:
            return
        if self._known is None:
            self._learnt = 0.0
        self._known = capture.rate / playback.rate / self._nominal - 1

    def update(self, level: float, time_ns: int) -> float:
        """The new ratio, from the frames that wait at ``time_ns`` (CLOCK_MONOTONIC); call it many times in a T.

        One whose time is before the last is left out.
        """
        if self._level is None:
            self._level, self._time_ns = level, time_ns
        seconds = (time_ns - self._time_ns) / _NS
        if seconds < 0:
            return self.ratio
        self._time_ns = time_ns
        self._level += (level - self._level) * -math.expm1(-seconds * _SMOOTH / self._time_constant)
        off = self._level - self.target
        learnt = self._learnt + self._integral * off * seconds
        wanted = (self._known or 0.0) + self._proportional * off + learnt
        self._correction = min(max(wanted, -self._most), self._most)
        if self._correction == wanted or off * wanted < 0:  # else it would learn from its own limit
            self._learnt = learnt
        return self.ratio

    def restart(self) -> None:
        """Forget level and time, as after an interruption; what was learnt of the rates stays."""
        self._level = None
