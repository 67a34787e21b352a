"""What the examples' tests on software cards and on the lab's real ones have in common."""

from __future__ import annotations

import contextlib
import importlib
import io
import signal
from collections.abc import Callable, Generator, Sequence
from fractions import Fraction
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.py"))
RATE = 48_000


class Terminal(io.StringIO):
    """A terminal, or none, that keeps what is printed."""

    def __init__(self, *, is_terminal: bool) -> None:
        super().__init__()
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


def run(name: str, arguments: Sequence[str], *, terminal: bool = False) -> tuple[int, str]:
    """Run an example in this process; its exit code and what it printed."""
    main: Callable[[Sequence[str]], int] = importlib.import_module(f"examples.{name}").main
    printed = Terminal(is_terminal=terminal)
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        code = main(arguments)
    return code, printed.getvalue()


@contextlib.contextmanager
def ctrl_c_after(seconds: float | None) -> Generator[None]:
    """Ctrl-C, after a while; None: never."""

    def press(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, press)
    signal.setitimer(signal.ITIMER_REAL, seconds or 0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def noise(seconds: float, seed: int = 1) -> Any:
    return np.random.default_rng(seed).integers(-8000, 8000, (round(seconds * RATE), 2), "i2")


def half_scale_sine(seconds: float) -> Any:
    """440 Hz on the first channel, nothing on the second."""
    sine = np.rint(16384 * np.sin(np.arange(round(seconds * RATE)) * 2 * np.pi * 440 / RATE))
    return np.stack([sine, np.zeros_like(sine)], axis=1).astype("i2")


def loudest(sound: Any, count: int) -> list[float]:
    """The frequencies of the highest peaks of a spectrum, Hz, from low to high."""
    sound = np.asarray(sound, "f8")
    size = 1 << 19  # a bin is 0.09 Hz
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), size))
    found: list[float] = []
    for _ in range(count):
        peak = int(spectrum.argmax())
        found.append(peak * RATE / size)
        width = 4 * size // len(sound)  # its main lobe, and the next
        spectrum[max(0, peak - width) : peak + width] = 0
    return sorted(found)


def exact_tone(frequency: str, amplitude: float, frames: Sequence[int]) -> Any:
    """Those frames of it, each by itself, by whole numbers."""
    turns = Fraction(frequency) / RATE
    phases = np.array([float(frame * turns % 1) for frame in frames])
    return np.rint(32767 * amplitude * np.sin(2 * np.pi * phases))


def with_echo(sound: Any, delay: int, feedback: float) -> Any:
    """What effect.py makes of int16 samples: int16 again."""
    echoed = np.float32(sound) / np.float32(32768)
    for begin in range(delay, len(echoed), delay):
        part = echoed[begin : begin + delay]
        part += echoed[begin - delay :][: len(part)] * np.float32(feedback)
    return np.rint(echoed * 32768).astype("i2")


def place_of(part: Any, sound: Any) -> int:
    """The first frame of ``sound`` where ``part``, which begins loud, is found sample for sample."""
    for place in np.flatnonzero((sound[: len(sound) - len(part) + 1] == part[0]).all(axis=1)):
        if np.array_equal(sound[place : place + len(part)], part):
            return int(place)
    raise AssertionError(f"not one of {len(sound)} frames is where these {len(part)} begin")
