"""loop: what is heard is played, so many frames later, as loud as asked for."""

from __future__ import annotations

import importlib.util
import sys
import threading
from typing import Any

import numpy as np
import pytest

from alsamm import sim
from tests.cli.conftest import Cli, Done

PERIOD, BUFFER = 256, 1024
SIZES = ("--period", str(PERIOD), "--buffer", str(BUFFER))


def heard(frames: int, channels: int = 2) -> Any:
    return np.random.default_rng(4).integers(-8000, 8000, (frames, channels), "i2")


def looped(cli: Cli, sound: Any, *options: str, channels: int = 2) -> tuple[Done, Any]:
    with sim.Card("both", clock="auto", formats=["S16_LE"], channels=(1, channels)) as card:
        card.feed(sound)
        done = cli("loop", card.device, "--seconds", "0.3", *SIZES, *options)
        return done, card.played()[BUFFER:]


def test_it_comes_out_as_it_went_in(cli: Cli) -> None:
    sound = heard(20_000)
    done, played = looped(cli, sound)
    assert (done.code, done.err) == (0, "")
    np.testing.assert_array_equal(played[:20_000], sound)
    assert done.told("latency") == f"{BUFFER} frames (21.3 ms)"
    assert done.told("xruns") == "0 playing, 0 capturing"


@pytest.mark.parametrize(("gain", "factor"), [("-20", 0.1), ("6.0205999", 2.0), ("-200", 0.0)])
def test_gain(cli: Cli, gain: str, factor: float) -> None:
    sound = heard(20_000)
    _, played = looped(cli, sound, "--gain", gain)
    assert np.abs(played[:20_000] - sound * factor).max() <= 0.51


def test_too_much_gain_is_cut_and_told(cli: Cli) -> None:
    done, played = looped(cli, heard(20_000), "--gain", "40")
    assert (played.min(), played.max()) == (-32_768, 32_767)
    assert not done.told("looped").endswith(" 0 overs")


@pytest.mark.parametrize(("hears", "plays", "source"), [(1, 2, [0, 0]), (2, 1, [0]), (3, 5, [0, 1, 2, 0, 1])])
def test_channels(cli: Cli, hears: int, plays: int, source: list[int]) -> None:
    sound = heard(9_000, hears)
    options = ("--channels", str(plays), "--capture-channels", str(hears))
    _, played = looped(cli, sound, *options, channels=5)
    np.testing.assert_array_equal(played[:9_000], sound[:, source])


def test_latency_instead_of_sizes(cli: Cli) -> None:
    with sim.Card("low", clock="auto") as card:
        for latency, frames in (("low", 480), ("high", 4800), ("0.02", 960)):
            done = cli("loop", card.device, "--seconds", "0.1", "--latency", latency)
            assert done.told("latency").startswith(f"{frames} frames")


def test_two_cards(cli: Cli) -> None:
    with sim.Card("one", clock="realtime") as one, sim.Card("two", clock="realtime", ppm=300) as two:
        arguments = ("loop", one.device, "--capture", two.device, "--seconds", "0.3", "--latency", "0.1")
        done = cli(*arguments, "--resample")
        assert (done.code, done.err) == (0, "")
        assert "--resample" in done.told("note")
        assert cli(*arguments).code == 0


def test_resampling_without_soxr(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    assert importlib.util.find_spec("soxr"), "soxr is missing: extra test"
    monkeypatch.setitem(sys.modules, "soxr", None)
    done = cli("loop", "sim:", "--resample", "--seconds", "0.1")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "soxr" in done.err


def test_xruns_are_counted(cli: Cli) -> None:
    with sim.Card("late", clock="realtime") as card:
        timer = threading.Timer(0.4, card.xrun)
        timer.start()
        done = cli("loop", card.device, "--seconds", "0.7", *SIZES)
        timer.join()
    playing, capturing = (int(part.split()[0]) for part in done.told("xruns").split(", "))
    assert (done.code, playing >= 1, capturing >= 1) == (0, True, True)


def test_an_unplugged_card(cli: Cli) -> None:
    with sim.Card("pulled", clock="realtime") as card:
        timer = threading.Timer(0.3, card.unplug)
        timer.start()
        done = cli("loop", card.device, "--seconds", "20")
        timer.join()
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert done.err.startswith("alsamm: sim:pulled: ")


@pytest.mark.parametrize(
    ("options", "code", "complaint"),
    [
        (("nosuch",), 1, "nosuch: "),
        (("sim:", "--capture", "hw:99"), 1, "hw:99: "),
        (("sim:", "--gain", "41"), 2, "'41' is no gain in dB from -200 to 40"),
        (("sim:", "--gain", "nan"), 2, "'nan' is no gain"),
        (("sim:", "--latency", "fast"), 2, "'fast' is no number of seconds above 0"),
        (("sim:", "--latency", "low", "--buffer", "512"), 1, "give one of them"),
        (("sim:", "--period", "99999999"), 1, "period_size 99999999"),
        (("sim:", "--seconds", "0"), 2, "'0' is no number of seconds above 0"),
    ],
)
def test_nonsense(cli: Cli, options: tuple[str, ...], code: int, complaint: str) -> None:
    done = cli("loop", *options)
    assert (done.code, done.err.count("\n")) == (code, 1)
    assert complaint in done.err
