"""Two cards held together: DriftResampler's sound and Hold's steering."""

from __future__ import annotations

import itertools
import math
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from alsamm import errors
from alsamm.account import Position
from alsamm.stream.clock import ClockModel
from alsamm.stream.resample import DriftResampler, Hold

RATE = 48_000
NS = 1_000_000_000
PERIOD = 256
TARGET = 3 * PERIOD
DTYPES = ["int16", "int32", "float32", "float64"]
Array = npt.NDArray[Any]


def sine(first: int, frames: int, hz: float = 997.0, rate: int = RATE) -> Array:
    return np.asarray(0.5 * np.sin(2 * np.pi * hz / rate * np.arange(first, first + frames)))


def worst_click(sound: Array, hz: float = 997.0) -> float:
    """How far a sample is from where its neighbours say that a sine goes: 0.06 for one frame too many or too few."""
    turn = 2 * math.cos(2 * np.pi * hz / RATE)
    return float(np.abs(sound[2:] + sound[:-2] - turn * sound[1:-1]).max())


def impurity(sound: Array) -> float:
    """What is not the sine, in dB of it."""
    power = np.abs(np.fft.rfft(sound * np.blackman(len(sound)))) ** 2
    peak = int(power.argmax())
    around = slice(peak - 20, peak + 21)
    noise = power.sum() - power[around].sum()
    return 10 * math.log10(noise / power[around].sum())


# ---- the resampler ----


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("ratio", [1.0, 1.0001, 0.9999, 44_100 / 48_000, 2.0])
def test_the_sound_is_pure_and_of_the_right_pitch(dtype: str, ratio: float) -> None:
    resampler = DriftResampler(2, dtype, ratio=ratio)
    full = 1.0 if dtype.startswith("float") else float(np.iinfo(dtype).max)
    out = []
    for first in range(0, 4 * RATE, 480):
        left = sine(first, 480, 997 / ratio) * full
        block = np.stack([left, -left], axis=1).astype(dtype)
        made = resampler.process(block)
        assert made.dtype == dtype
        assert abs(len(made) - 480 / ratio) <= 1
        out.append(made)
    sound = np.concatenate(out) / full
    assert len(sound) == pytest.approx(4 * RATE / ratio, abs=2)
    settled = sound[-RATE:, 0]
    assert impurity(settled) < (-80 if dtype == "int16" else -105), "soxr dithers int16"
    assert np.abs(settled).max() == pytest.approx(0.5, abs=1e-3)
    assert worst_click(settled) < (4e-4 if dtype == "int16" else 2e-5), "997 Hz"
    assert np.abs(sound[:, 0] + sound[:, 1]).max() <= 4 / full + 1e-6


@pytest.mark.parametrize("ratio", [1.0, 0.5, 48_000 / 44_100, 3.0])
def test_the_delay_is_what_it_says(ratio: float) -> None:
    resampler = DriftResampler(1, "float64", ratio=ratio)
    sound = np.zeros((20_000, 1))
    sound[5000] = 1
    for _ in range(2):
        out = resampler.process(sound)[:, 0]
        assert abs(out.argmax() - (5000 + resampler.delay) / ratio) <= 4
        assert np.abs(out[: int(4000 / ratio)]).max() < 1e-9, "silence before"
        assert 0 < resampler.delay < 2000
        resampler.restart()


@pytest.mark.parametrize("base", [1.0, 2.0, 4.0, 44_100 / 48_000])
def test_a_ratio_that_moves_makes_no_click(base: float) -> None:
    resampler = DriftResampler(1, "float64", ratio=base)
    chance = random.Random(1)
    out, frames = [], 0.0
    for first in range(0, 4 * RATE, 480):
        resampler.ratio = base * (1 + chance.uniform(-300e-6, 300e-6))
        assert resampler.ratio != base
        out.append(resampler.process(sine(first, 480, 997 / base)[:, None]))
        frames += 480 / resampler.ratio
    sound = np.concatenate(out)[RATE // 4 :, 0]
    assert worst_click(sound) < 1e-4
    assert sum(map(len, out)) == pytest.approx(frames, abs=2)


def test_a_click_would_be_seen() -> None:
    assert worst_click(sine(0, RATE)) < 1e-9
    assert worst_click(np.delete(sine(0, RATE), RATE // 2)) > 0.01
    assert impurity(sine(0, RATE)) < -120
    assert impurity(np.delete(sine(0, RATE), RATE // 2)) > -60


def test_restart_forgets_the_sound_and_keeps_the_ratio() -> None:
    resampler = DriftResampler(1, "float32")
    resampler.ratio = 1.0005
    resampler.process(np.ones((4800, 1), "f4"))
    resampler.restart()
    out = resampler.process(np.zeros((96_000, 1), "f4"))
    assert not out.any()
    assert len(out) == pytest.approx(96_000 / 1.0005, abs=2)


def test_odd_blocks() -> None:
    resampler = DriftResampler(2, "int32")
    assert resampler.process(np.zeros((0, 2), "i4")).shape == (0, 2)
    wide = np.arange(4 * 4800, dtype="i4").reshape(4800, 4) << 16
    same = DriftResampler(2, "int32")
    assert (resampler.process(wide[:, ::2]) == same.process(np.ascontiguousarray(wide[:, ::2]))).all()
    assert repr(resampler) == "<DriftResampler 2 x int32 ratio=1.0000000>"


@pytest.mark.parametrize("dtype", ["u1", "i8", ">i2", "c8"])
def test_dtypes_that_it_cannot(dtype: str) -> None:
    with pytest.raises(errors.ArgumentTypeError, match="int16"):
        DriftResampler(2, dtype)


def test_what_cannot_be_resampled() -> None:
    with pytest.raises(errors.ArgumentError):
        DriftResampler(0)
    for ratio in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(errors.ArgumentError):
            DriftResampler(2, ratio=ratio)
    resampler = DriftResampler(2)
    with pytest.raises(errors.ArgumentError, match="most"):
        resampler.ratio = 2.1
    with pytest.raises(errors.ArgumentTypeError):
        resampler.process(np.zeros((10, 2), "f8"))
    for shape in ((10,), (10, 3), (10, 2, 1)):
        with pytest.raises(errors.ArgumentError, match="shape"):
            resampler.process(np.zeros(shape, "f4"))
    assert resampler.ratio == 1.0


def test_without_soxr_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "soxr", None)
    with pytest.raises(errors.UnsupportedError, match=r"pip install alsamm\[resample\]"):
        DriftResampler(2)


# ---- two cards ----


@dataclass
class Pair:
    """A card that captures, one that plays, and the fifo between them. Rates in ppm of nominal; either may change."""

    ppm: tuple[float, float]
    late: float = 0.5e-3  # seconds, by which we are late after an interrupt
    clocks: bool = True  # level and expectation by ClockModels, or by blocks alone
    resample: bool = False  # real sound; else only frames are counted
    target: float = TARGET
    hold: Hold = field(default_factory=lambda: Hold(TARGET, rate=RATE))
    levels: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])  # what it really was, when
    steered: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])  # ppm, when
    sound: list[Array] = field(default_factory=list[Array])

    def __post_init__(self) -> None:
        self.chance = random.Random(5)
        self.models = ClockModel(RATE), ClockModel(RATE)
        self.resampler = DriftResampler(1)
        self.captured = self.played = 0
        self.made = 0.0
        self.now = [0.0, 0.0]  # when each card's last period ended
        self.first: float | None = None  # when playback began

    def run(self, seconds: float) -> None:
        until = self.now[0] + seconds
        while self.now[0] < until:
            ends = [at + PERIOD / (RATE * (1 + ppm * 1e-6)) for at, ppm in zip(self.now, self.ppm, strict=True)]
            if self.first is None or ends[0] < ends[1]:
                self.now[0] = ends[0]
                self._capture(ends[0])
            else:
                self.now[1] = ends[1]
                self._play(ends[1])

    def _told(self, which: int, frame: int, at: float) -> int:
        told = round((at + self.chance.uniform(0, self.late)) * NS)
        self.models[which].update(Position(frame, told))
        return told

    def _capture(self, at: float) -> None:
        self.captured += PERIOD
        told = self._told(0, self.captured, at)
        if self.resample:
            self.resampler.ratio = self.hold.ratio
            made = self.resampler.process(sine(self.captured - PERIOD, PERIOD).astype("f4")[:, None])
            self.sound.append(made[:, 0])
            self.made += len(made)
        else:
            self.made += PERIOD / self.hold.ratio
        if self.first is None:
            if self.made >= self.target:
                self.first = self.now[1] = at
                self.models[1].update(Position(0, round(at * NS)))
            return
        rate = RATE * (1 + self.ppm[1] * 1e-6)
        self.levels.append((at, self.made - self.played - (at - self.now[1]) * rate))
        self.steered.append((at, self.hold.ppm))
        if self.clocks:
            self.hold.expect(*self.models)
            self.hold.update(self.made - self.models[1].frame_at(told), told)
        else:
            self.hold.update(self.made - self.played, told)

    def _play(self, at: float) -> None:
        self.played += PERIOD
        assert self.made - self.played >= 0, f"dry at {at}"
        self._told(1, self.played, at)

    def off(self, since: float = 0.0) -> float:
        """How far the level was from the target at most."""
        return max(abs(level - self.target) for at, level in self.levels if at >= since)

    def per_second(self, since: float = 0.0) -> Iterator[float]:
        """How many ppm the ratio went on in each second."""
        whole = [ppm for at, ppm in self.steered if at >= since][:: RATE // PERIOD]
        return (abs(b - a) for a, b in itertools.pairwise(whole))


@pytest.mark.parametrize("ppm", [(100.0, 0.0), (0.0, 100.0), (-150.0, 150.0)])
def test_two_cards_stay_together(ppm: tuple[float, float]) -> None:
    pair = Pair(ppm)
    pair.run(240)
    assert pair.off() <= PERIOD
    assert pair.off(since=120) < 24, "half a millisecond, by which we may be late"
    assert pair.hold.ppm == pytest.approx(ppm[0] - ppm[1], abs=10)
    assert max(pair.per_second(since=30)) < 5


def test_they_stay_together_without_clocks_too() -> None:
    """Levels in whole blocks: they jump by a period now and then, and the pitch with it."""
    pair = Pair((100, 0), clocks=False)
    pair.run(300)
    assert pair.off() <= PERIOD * 1.5
    assert abs(np.mean([ppm for at, ppm in pair.steered if at > 100]) - 100) < 30


def test_without_steering_they_would_not() -> None:
    """So that the cases above can fail."""
    pair = Pair((-100, 0), hold=Hold(TARGET, rate=RATE, most_ppm=1e-6))
    with pytest.raises(AssertionError, match="dry"):
        pair.run(240)


def test_a_crystal_that_warms_up_is_followed() -> None:
    pair = Pair((100, 0))
    for _ in range(60):
        pair.run(2)
        pair.ppm = pair.ppm[0] + 1, 0
    pair.run(120)
    assert pair.off() <= PERIOD
    assert pair.hold.ppm == pytest.approx(160, abs=10)


def test_the_sound_has_no_clicks() -> None:
    pair = Pair((100, 0), resample=True)
    pair.run(120)
    assert pair.off() <= PERIOD
    sound = np.concatenate(pair.sound).astype("f8")
    assert worst_click(sound[RATE:]) < 2e-5
    assert impurity(sound[-5 * RATE :]) < -80


# ---- Hold by itself ----


def settle(hold: Hold, level: float, ppm: float, seconds: float, step: float = 0.01) -> list[float]:
    """The levels of an ideal fifo that fills ``ppm`` too fast."""
    levels = [level]
    for number in range(int(seconds / step)):
        hold.update(levels[-1], round((number + 1) * step * NS))
        levels.append(levels[-1] + (ppm - hold.ppm) * 1e-6 * RATE * step)
    return levels


def test_a_wrong_level_is_brought_back_once_and_for_all() -> None:
    hold = Hold(1000, rate=RATE)
    levels = settle(hold, 1200, 0, 300)
    assert levels[-1] == pytest.approx(1000, abs=0.1)
    assert hold.ppm == pytest.approx(0, abs=0.1)
    assert min(levels) > 1000 - 0.2 * 200, "a PI controller passes the target once"
    assert abs(levels[12_000] - 1000) < 20, "after four time constants"


def test_a_rate_that_is_off_is_learnt() -> None:
    hold = Hold(1000, rate=RATE)
    levels = settle(hold, 1000, 250, 300)
    assert hold.ppm == pytest.approx(250, abs=0.5)
    assert max(levels) < 1000 + 250e-6 * RATE * 30 / 2, "T / e seconds of the difference"
    assert levels[-1] == pytest.approx(1000, abs=0.5)


def test_the_limit_holds_and_leaves_nothing_behind() -> None:
    hold = Hold(1000, rate=RATE, most_ppm=100)
    levels = settle(hold, 4000, 0, 900)
    assert min(levels) > 1000 - 60, "it did not learn from a limit that it ran into"
    assert levels[-1] == pytest.approx(1000, abs=0.5)
    assert abs(hold.ratio - 1) <= 100e-6
    fast = Hold(1000, rate=RATE, most_ppm=100)
    assert settle(fast, 1000, 500, 60)[-1] > 1500
    assert fast.ppm == 100


def test_clocks_are_believed_once_they_are_sure() -> None:
    hold, clocks = Hold(1000, rate=RATE, ratio=2.0), (ClockModel(2 * RATE), ClockModel(RATE))
    for number in range(4000):
        hold.expect(*clocks)
        hold.update(1000, number * NS // 100)
        for clock, ppm in zip(clocks, (80, -20), strict=True):
            rate = (2 if clock is clocks[0] else 1) * RATE * (1 + ppm * 1e-6)
            clock.update(Position(round(rate * number / 100), number * NS // 100))
        if number == 10:
            assert hold.ppm == 0
    assert hold.ppm == pytest.approx(100, abs=0.5)
    assert hold.ratio == pytest.approx(2.0002, abs=1e-6)


def test_what_was_learnt_and_what_clocks_say_are_not_added_up() -> None:
    hold = Hold(1000, rate=RATE)
    settle(hold, 1000, 100, 300)
    clocks = ClockModel(RATE), ClockModel(RATE)
    for number in range(4000):
        clocks[0].update(Position(round(RATE * 1.0001 * number / 100), number * NS // 100))
        clocks[1].update(Position(RATE * number // 100, number * NS // 100))
    hold.expect(*clocks)
    assert hold.update(1000, 300 * NS + NS // 100) == pytest.approx(1.0001, abs=1e-6)


def test_after_an_interruption_only_the_rate_is_known() -> None:
    hold = Hold(1000, rate=RATE)
    settle(hold, 1000, 100, 300)
    hold.restart()
    assert hold.level == 1000
    assert hold.update(1000, 5000 * NS) == pytest.approx(1.0001, abs=1e-6)
    assert hold.update(9000, 4999 * NS) == pytest.approx(1.0001, abs=1e-6), "an earlier time is left out"
    assert hold.level == 1000
    assert repr(hold) == f"<Hold target=1000 level=1000 {hold.ppm:+.2f} ppm>"


@pytest.mark.parametrize("wrong", ["target", "rate", "ratio", "time_constant", "most_ppm"])
def test_numbers_that_cannot_be(wrong: str) -> None:
    numbers: dict[str, Any] = {"target": 1000, "rate": RATE}
    with pytest.raises(errors.ArgumentError):
        Hold(**numbers | {wrong: 0})
