"""tone: what is played is what was asked for, sample for sample where that is known."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest

from alsamm import sim
from alsamm.cli.tone import WAVES, samples
from alsamm.wav import Frames
from tests.cli.conftest import Cli


@pytest.fixture
def card() -> Iterator[sim.Card]:
    with sim.Card("tone", clock="auto") as card:
        yield card


def played(cli: Cli, card: sim.Card, *arguments: str) -> Frames:
    """Of full scale; a second."""
    done = cli("tone", *arguments, "--seconds", "1", "--device", card.device)
    assert (done.code, done.err, done.told("xruns")) == (0, "", "0")
    frames = card.played()
    assert frames.dtype == np.dtype("<i4")  # the most exact that the card has
    return frames[:48_000] / 2.0**31


def test_a_sine_is_exact(cli: Cli, card: sim.Card) -> None:
    frames = played(cli, card, "1000/3")
    exact = 0.1 * np.sin(2 * np.pi * np.arange(48_000) / 144)
    assert np.abs(frames - exact[:, None]).max() < 2.0**-31
    assert not card.played()[48_000:].any()


def test_the_phase_is_exact_for_ever() -> None:
    """As if the tone had been on for a year, in which a phase that is added up is long lost."""
    frequency, rate, block = Fraction("432.1"), 48_000, 1024
    blocks = samples("sine", frequency, rate, block)
    turns = Fraction(frequency) / rate
    for number in range(2000):
        got = next(blocks)
        if number % 500 == 0:
            exact = [float(turns * (number * block + n) % 1) for n in range(block)]
            assert np.abs(got - np.sin(2 * np.pi * np.array(exact))).max() < 1e-12


def test_squares_and_saws(cli: Cli, card: sim.Card) -> None:
    square = played(cli, card, "480", "--wave", "square", "--level", "-6.020599913279624")[:, 0]
    np.testing.assert_allclose(square[:100], [0.5] * 50 + [-0.5] * 50, atol=1e-9)
    saw = played(cli, card, "480", "--wave", "saw", "--level", "0")[:, 0]
    np.testing.assert_allclose(saw[:100], np.arange(100) / 50 - 1, atol=1e-9)


def test_noise_is_as_loud_as_it_was_to_be(cli: Cli, card: sim.Card) -> None:
    noise = played(cli, card, "--wave", "noise")[:, 0]
    assert 0.0999 < np.abs(noise).max() <= 0.1
    assert abs(noise.mean()) < 0.001
    spectrum = np.abs(np.fft.rfft(noise)) ** 2
    assert 0.9 < spectrum[1:12_000].mean() / spectrum[12_000:].mean() < 1.1


def test_a_sweep_is_an_octave_in_its_time(cli: Cli, card: sim.Card) -> None:
    sweep = played(cli, card, "--wave", "sweep")[:, 0]
    rising = np.flatnonzero((sweep[:-1] < 0) & (sweep[1:] >= 0))
    pitches = 48_000 / np.diff(rising)
    expected = 20.0 * 1000 ** ((rising[1:] + rising[:-1]) / 2 / 48_000 / 10)
    np.testing.assert_allclose(pitches, expected, rtol=0.02)


@pytest.mark.parametrize("channel", [1, 2, 4])
def test_one_loudspeaker_at_a_time(cli: Cli, card: sim.Card, channel: int) -> None:
    frames = played(cli, card, "--channel", str(channel))
    assert frames.shape[1] == max(2, channel)
    loud = np.abs(frames).max(axis=0) > 0
    assert loud.tolist() == [n == channel for n in range(1, len(loud) + 1)]


def test_no_level_clips(cli: Cli, card: sim.Card) -> None:
    assert 0.999 < played(cli, card, "480", "--level", "0").max() <= 1


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (("0",), 2, "'0' is no frequency above 0"),
        (("1/0",), 2, "'1/0' is no frequency above 0"),
        (("24000",), 1, "24000 Hz: less than half of the rate, 48000 Hz"),
        (("1e999999999",), 2, "'1e999999999' is no frequency"),  # which a fraction would take hours for
        (("--level", "nan"), 2, "'nan' is no level in dBFS from -200 to 0"),
        (("--level", "3"), 2, "'3' is no level in dBFS from -200 to 0"),
        (("--wave", "triangle"), 2, "invalid choice: 'triangle'"),
        (("--channel", "0"), 2, "'0' is no whole number above 0"),
        (("--channels", "2", "--channel", "3"), 1, "--channel 3: sim:tone plays 2"),
        (("--format", "MU_LAW"), 1, "format MU_LAW cannot be had"),
        (("--rate", "5"), 1, "rate 5 Hz cannot be had; the card does 8000 to 384000 Hz"),
        (("1/99999999999999999999",), 1, "of fewer digits"),
    ],
)
def test_what_cannot_be(cli: Cli, card: sim.Card, arguments: tuple[str, ...], code: int, complaint: str) -> None:
    done = cli("tone", *arguments, "--seconds", "1", "--device", card.device)
    assert (done.code, done.err.count("\n")) == (code, 1)
    assert complaint in done.err


@pytest.mark.parametrize("wave", WAVES)
def test_blocks_follow_each_other(wave: str) -> None:
    long = next(samples(wave, Fraction(997), 48_000, 3000))
    short = samples(wave, Fraction(997), 48_000, 1000)
    np.testing.assert_allclose(np.concatenate([next(short) for _ in range(3)]), long, atol=1e-12)
