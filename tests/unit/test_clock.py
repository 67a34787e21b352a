"""ClockModel: the rate of a crystal from positions as cards really give them."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alsamm import PCM, MmapPlayback, errors
from alsamm.account import Position
from alsamm.sim import Card
from alsamm.stream.clock import ClockModel

RATE = 48_000
NS = 1_000_000_000
BEGAN = 10**15
Late = Callable[[random.Random], float]


def uniform(chance: random.Random) -> float:
    """A timer of 2 ms."""
    return chance.uniform(0, 2e-3)


def busy(chance: random.Random) -> float:
    """Some 50 us as a rule, and now and then up to 20 ms."""
    return chance.expovariate(20_000) + (chance.uniform(0, 0.02) if chance.random() < 0.01 else 0)


def on_time(_: random.Random) -> float:
    return 0.0


def run(
    ppm: Callable[[float], float] | float, seconds: float, late: Late = on_time, *, period: int = 1024, seed: int = 0
) -> Iterator[tuple[Position, Position]]:
    """What a card says after each period, and the truth: the time at which it was there."""
    chance = random.Random(seed)
    passed, told = 0.0, 0.0
    for frame in itertools.count(period, period):
        off = ppm(passed) if callable(ppm) else ppm
        passed += period / (RATE * (1 + off * 1e-6))
        if passed > seconds:
            return
        told = max(told + 1e-6, passed + late(chance))  # a clock does not go back
        yield Position(frame, BEGAN + round(told * NS)), Position(frame, BEGAN + round(passed * NS))


def learnt(ppm: float, seconds: float, late: Late = on_time, *, seed: int = 0) -> ClockModel:
    model = ClockModel(RATE)
    for told, _ in run(ppm, seconds, late, seed=seed):
        model.update(told)
    return model


# ---- the software card ----


@pytest.mark.parametrize("clock", ["manual", "auto"])
@pytest.mark.parametrize("ppm", [50.0, -50.0, 0.0, 300.0])
def test_the_software_cards_crystal_is_found(ppm: float, clock: str) -> None:
    options: Any = {"clock": clock, "ppm": ppm, "record": False}
    model = ClockModel(RATE)
    with Card("crystal", **options) as card, PCM(card.device, "playback") as pcm:
        pcm.setup(format="S16_LE", channels=2, period_size=960, buffer_size=3840)
        silence = np.zeros((960, 2), "i2")
        with MmapPlayback(pcm) as ring:
            ring.write(np.zeros((3840, 2), "i2"))
            until = card.time_ns + 20 * NS
            while card.time_ns < until:
                if clock == "auto":
                    ring.wait()
                else:
                    card.advance(960)
                now = ring.snapshot(hwsync=True)
                model.update(Position(now.hw_ptr, now.htstamp_ns))
                ring.write(silence)
            ring.drop()
    assert model.ppm == pytest.approx(ppm, abs=0.1)
    assert model.rate == pytest.approx(RATE * (1 + ppm * 1e-6), rel=1e-7)
    assert model.rate_error_ppm < 3
    assert model.jitter_ns < 30_000
    assert model.span_ns == pytest.approx(20 * NS, rel=0.01)
    assert model.count == pytest.approx(1000, abs=3)


# ---- real cards ----


@pytest.mark.parametrize("late", [uniform, busy])
@settings(max_examples=15, deadline=None, derandomize=True)
@given(ppm=st.floats(-300, 300), seed=st.integers(0, 2**32), period=st.sampled_from([256, 480, 1024]))
def test_the_rate_is_found_and_its_error_known(late: Late, ppm: float, seed: int, period: int) -> None:
    model = ClockModel(RATE)
    checks = [(10, 60.0), (20, 15.0), (40, 5.0), (60, 3.0)]  # seconds, ppm
    for told, _ in run(ppm, 61, late, period=period, seed=seed):
        model.update(told)
        if checks and told.time_ns > BEGAN + checks[0][0] * NS:
            _, most = checks.pop(0)
            assert abs(model.ppm - ppm) < min(5 * model.rate_error_ppm, most)
    assert not checks
    assert model.rate_error_ppm < 1.5


def test_the_error_that_is_told_is_about_the_error_there_is() -> None:
    """Neither boasting nor modest: a factor of two, over many cards."""
    for seconds in (5, 10, 20):
        models = [learnt(100, seconds, uniform, seed=seed) for seed in range(30)]
        off = [(model.ppm - 100) / model.rate_error_ppm for model in models]
        assert 0.5 < math.sqrt(sum(x * x for x in off) / len(off)) < 1.5


def test_the_jitter_is_told() -> None:
    assert learnt(100, 60, uniform).jitter_ns == pytest.approx(2e6 / math.sqrt(12), rel=0.1)
    assert learnt(100, 60).jitter_ns < 10_000


def test_a_card_that_moves_by_the_kernels_tick() -> None:
    """As snd-aloop (rule P11): its position steps every 4 ms, and is read some time after."""
    chance, model, frame = random.Random(3), ClockModel(RATE), 0
    for step in range(1, 6000):
        read = step * 0.01 + chance.uniform(0, 0.3e-3)
        seen = int(read / 0.004) * 192 * 1.00008
        if int(seen) > frame:
            frame = int(seen)
            model.update(Position(frame, BEGAN + round(read * NS)))
    assert abs(model.ppm - 80) < min(3 * model.rate_error_ppm, 2)


def test_errors_in_waves_are_not_taken_for_chance() -> None:
    """As a reader's whose pace beats with the card's periods: what is off stays off for seconds."""
    model, worst = ClockModel(RATE), 0.0
    for told, _ in run(80, 60):
        wave = math.sin((told.time_ns - BEGAN) / NS * 2 * math.pi / 10)
        model.update(Position(told.frame, told.time_ns + round((1 + wave) * 1e6)))
        if model.span_ns > 10 * NS:
            worst = max(worst, abs(model.ppm - 80) / model.rate_error_ppm)
    assert worst < 4


def test_late_pairs_do_little() -> None:
    """Twelve times in a minute the machine was busy for 50 ms, 25 times the usual."""
    models = ClockModel(RATE), ClockModel(RATE)
    for number, (told, _) in enumerate(run(50, 60, uniform, period=4800)):
        models[0].update(told)
        late = 90_000_000 if number % 50 == 49 else 0
        models[1].update(Position(told.frame, told.time_ns + late))
    assert abs(models[1].ppm - models[0].ppm) < 5
    assert abs(models[1].time_at(0) - models[0].time_at(0)) < NS // 1000


# ---- what changes ----


def test_a_rate_that_changes_is_followed() -> None:
    model = ClockModel(RATE)
    seen = {}
    for told, truth in run(lambda passed: 50 if passed < 60 else 80, 180, busy):
        model.update(told)
        seen[int((told.time_ns - BEGAN) / NS)] = model.ppm
        assert abs(model.time_at(truth.frame) - truth.time_ns) < NS // 1000, "the line bends with it"
    assert seen[59] == pytest.approx(50, abs=1)
    assert seen[100] == pytest.approx(70, abs=6)
    assert seen[179] == pytest.approx(80, abs=1)


def test_a_short_time_constant_follows_sooner() -> None:
    model = ClockModel(RATE, time_constant=4.0)
    for told, _ in run(lambda passed: 50 if passed < 60 else 80, 85):
        model.update(told)
    assert model.ppm == pytest.approx(80, abs=1)


def test_after_an_interruption_the_rate_is_kept() -> None:
    model = learnt(75, 60, uniform)
    before, error = model.ppm, model.rate_error_ppm
    began = Position(5, BEGAN + 3600 * NS)
    model.restart(began)
    assert model.ppm == before
    assert model.time_at(5) == began.time_ns
    assert model.frame_at(began.time_ns + NS) == pytest.approx(5 + RATE * (1 + before * 1e-6))
    span = model.span_ns
    for told, _ in run(75, 60, uniform, seed=1):
        model.update(Position(told.frame + 5, told.time_ns + 3600 * NS))
        assert abs(model.ppm - 75) < 5
    assert model.rate_error_ppm < error * 1.2
    assert model.span_ns - span == pytest.approx(60 * NS, rel=0.01)


def test_interruptions_all_the_time_do_not_keep_it_from_learning() -> None:
    model, shift = ClockModel(RATE), 0
    for number, (told, _) in enumerate(run(75, 60, uniform)):
        shift += 1000 if number % 50 == 0 else 0
        where = Position(told.frame - shift, told.time_ns)
        (model.restart if number % 50 == 0 else model.update)(where)
    assert abs(model.ppm - 75) < 3 * model.rate_error_ppm
    assert model.rate_error_ppm < 100, "a second alone leaves 250"


@pytest.mark.parametrize("minutes", [1, 600])
def test_pairs_that_come_seldom_make_a_line_too(minutes: int) -> None:
    model = ClockModel(RATE)
    for number in range(6):
        seconds = number * minutes * 60
        model.update(Position(int(seconds * RATE * 1.0001), BEGAN + seconds * NS))
    assert model.ppm == pytest.approx(100, abs=0.5)
    assert model.rate_error_ppm < 5


def test_even_a_card_of_another_rate_is_found() -> None:
    model = ClockModel(RATE)
    for told, _ in run(1e6, 60, uniform):
        model.update(told)
    assert model.rate == pytest.approx(2 * RATE, rel=5e-6)


# ---- the line ----


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    ppm=st.floats(-300, 300),
    seed=st.integers(0, 2**32),
    seconds=st.sampled_from([0.1, 1.0, 20.0]),
    ahead=st.integers(-NS, 60 * NS),
)
def test_there_and_back(ppm: float, seed: int, seconds: float, ahead: int) -> None:
    model = learnt(ppm, seconds, uniform, seed=seed)
    when = BEGAN + int(seconds * NS) + ahead
    assert abs(model.time_at(model.frame_at(when)) - when) <= 20
    assert abs(model.frame_at(model.time_at(frame := 48_000)) - frame) < 1e-3


def test_the_line_is_where_the_card_is() -> None:
    """Late by what timestamps are late on average, a millisecond here, and quieter than they are."""
    model, off = ClockModel(RATE), []
    for told, truth in run(100, 40, uniform):
        model.update(told)
        off.append(model.time_at(truth.frame) - truth.time_ns)
    settled = np.array(off[len(off) // 2 :])
    assert settled.mean() == pytest.approx(1e6, abs=2e5)
    assert settled.std() < 577_000 / 5


def test_days_cost_no_precision() -> None:
    """Three days of positions with numbers as large as they get; one frame is 20.8 us."""
    model, first, began = ClockModel(RATE), 2**52, 4 * 10**18
    frame, when = first, began
    rate = 48_002.4
    for turn in range(1, 130_000):
        frame = first + turn * 96_000
        when = began + (turn * 96_000 * 10 * NS) // 480_024
        model.update(Position(frame, when))
    assert model.span_ns > 3 * 86_400 * NS - 20 * NS
    assert model.rate == pytest.approx(rate, rel=1e-11)
    assert abs(model.time_at(frame) - when) <= 2
    assert model.frame_at(when) == frame
    assert abs(model.time_at(frame - 96_000) - (when - NS * 20_000 // 10_000.5)) < 1000
    assert model.jitter_ns < 10


# ---- few pairs ----


def test_before_and_after_the_first_pair() -> None:
    model = ClockModel(RATE)
    assert (model.rate, model.ppm, model.count, model.span_ns) == (RATE, 0, 0, 0)
    assert model.rate_error_ppm == math.inf
    with pytest.raises(errors.StateError):
        model.frame_at(0)
    with pytest.raises(errors.StateError):
        model.time_at(0)
    model.update(Position(1000, 5 * NS))
    assert (model.rate, model.count, model.span_ns) == (RATE, 1, 0)
    assert model.frame_at(6 * NS) == 49_000
    assert model.time_at(49_000) == 6 * NS
    model.update(Position(1480, 5 * NS + 10_000_000))
    assert model.rate_error_ppm == math.inf
    assert repr(model).startswith("<ClockModel 48000.")


def test_a_late_pair_among_the_first_gives_no_wild_rate() -> None:
    model = ClockModel(RATE)
    model.update(Position(0, BEGAN))
    model.update(Position(48, BEGAN + 3_000_000))
    assert abs(model.ppm) < 10, "2 ms late in 1 ms"
    model.update(Position(96, BEGAN + 3_010_000))
    assert abs(model.ppm) < 10
    assert model.rate_error_ppm > 500


def test_the_same_frame_is_no_news() -> None:
    one, two = ClockModel(RATE), ClockModel(RATE)
    for told, _ in run(50, 5, uniform):
        one.update(told)
        two.update(told)
        two.update(Position(told.frame, told.time_ns + 100))
    assert (one.rate, one.count, one.span_ns) == (two.rate, two.count, two.span_ns)


@pytest.mark.parametrize("back", [Position(99, 2 * NS), Position(101, NS), Position(101, NS - 1)])
def test_what_goes_back_is_refused_and_not_learnt(back: Position) -> None:
    model = ClockModel(RATE)
    model.update(Position(100, NS))
    with pytest.raises(errors.ArgumentError, match="restart"):
        model.update(back)
    assert model.count == 1
    assert model.frame_at(NS) == 100


@pytest.mark.parametrize(("rate", "constant"), [(0, 20), (-1, 20), (math.nan, 20), (math.inf, 20), (48_000, 0)])
def test_rates_that_cannot_be(rate: float, constant: float) -> None:
    with pytest.raises(errors.ArgumentError):
        ClockModel(rate, time_constant=constant)
