"""Narrowing the configuration space: exact, or an error that says what could be had."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import alsamm
from alsamm import Access, Format, HwParams, Interval


def test_the_whole_space_is_told(playback: alsamm.PCM) -> None:
    hw = HwParams(playback)
    assert hw.formats == [Format.U8, Format.S16_LE, Format.S32_LE, Format.S24_3LE]
    assert Access.MMAP_INTERLEAVED in hw.accesses
    assert hw.range("channels") == Interval(1, 2)
    assert hw.range("rate") == (8_000, 48_000)
    assert hw.range("periods").max == 32
    assert "S16_LE" in repr(hw)
    assert "rate=8000..48000" in repr(hw)


def test_what_is_set_can_be_read(playback: alsamm.PCM) -> None:
    hw = HwParams(playback)
    whole: Any = np.int64(2)
    hw.access, hw.format, hw.channels, hw.rate = "mmap_interleaved", Format.S16_LE, whole, 44_100
    hw.period_size, hw.periods = 441, 4
    assert (hw.access, hw.format, hw.channels, hw.rate) == (Access.MMAP_INTERLEAVED, Format.S16_LE, 2, 44_100)
    assert (hw.period_size, hw.periods, hw.buffer_size) == (441, 4, 1764)
    assert (hw.period_time_us, hw.buffer_time_us) == (10_000, 40_000)
    assert hw.rate_ratio == Fraction(44_100)
    assert hw.msbits == 16


def test_times_can_be_set_where_they_are_whole_frames(playback: alsamm.PCM) -> None:
    hw = HwParams(playback)
    hw.channels, hw.format, hw.rate = 1, "S16_LE", 44_100
    hw.period_time_us = 10_000
    assert hw.period_size == 441


def test_what_alsa_lib_accepts_and_then_rounds_is_refused(playback: alsamm.PCM) -> None:
    hw = HwParams(playback)
    hw.channels, hw.format, hw.rate = 1, "S16_LE", 44_100
    hw.period_time_us = 5_000  # 220.5 frames
    with pytest.raises(alsamm.ParameterError, match=r"5000 us cannot be had; 49\d\d is what comes of it"):
        playback.configure(hw)
    assert playback.state == alsamm.State.OPEN
    with pytest.raises(alsamm.StateError, match="not configured"):
        playback.geometry()


@pytest.mark.parametrize(
    ("name", "value", "could"),
    [
        ("rate", 12_345, "12345 Hz cannot be had; the card does 8000 to 48000 Hz, of the usual rates 8000, 44100, 4"),
        ("rate", 192_000, "the card does 8000 to 48000 Hz"),
        ("rate", -1, "rate -1 Hz cannot be had; the card does 8000 to 48000 Hz"),
        ("rate", 1 << 40, "the card does 8000 to 48000 Hz"),
        ("channels", 0, "channels 0 cannot be had; the card does 1 to 2"),
        ("channels", 6, "the card does 1 to 2"),
        ("format", "FLOAT_LE", "format FLOAT_LE cannot be had; the card has U8, S16_LE, S32_LE, S24_3LE"),
        ("access", "MMAP_COMPLEX", "access MMAP_COMPLEX cannot be had; the card has MMAP_INTERLEAVED"),
        ("period_size", 1 << 20, r"period_size 1048576 frames cannot be had; the card does \d+ to 4096 frames"),
        ("buffer_size", 1 << 20, r"the card does \d+ to 16384 frames"),
        ("periods", 1, "periods 1 cannot be had; the card does 2 to 32"),
    ],
)  # fmt: skip
def test_what_cannot_be_had_says_what_could(playback: alsamm.PCM, name: str, value: Any, could: str) -> None:
    hw = HwParams(playback)
    before = repr(hw)
    with pytest.raises(alsamm.ParameterError, match=could) as caught:
        setattr(hw, name, value)
    assert repr(hw) == before
    assert isinstance(caught.value, ValueError)
    assert caught.value.func == f"snd_pcm_hw_params_set_{name}"
    assert caught.value.device == playback.name


def test_the_message_names_what_was_set_before(playback: alsamm.PCM) -> None:
    hw = HwParams(playback)
    hw.format, hw.rate = "S32_LE", 8_000
    with pytest.raises(alsamm.ParameterError, match=r"\(with format S32_LE, rate 8000\)"):
        hw.channels = 3
    with pytest.raises(alsamm.ParameterError, match=r"rate was set to 8000 before \(with format S32_LE\)"):
        hw.rate = 44_100


def test_a_gap_in_the_grid_names_the_nearest(playback: alsamm.PCM) -> None:
    hw = HwParams(playback)
    hw.channels, hw.format, hw.rate, hw.period_time_us = 2, "S16_LE", 48_000, 1_000
    with pytest.raises(alsamm.ParameterError, match=r"buffer_size 1000 frames cannot be had; .*, nearest 1008"):
        hw.buffer_size = 1000


def test_a_time_that_is_no_whole_number_is_rounded_down(playback: alsamm.PCM) -> None:
    hw = HwParams(playback)
    hw.rate, hw.period_size = 48_000, 128
    assert hw.period_time_us == 2_666
    assert hw.range("period_time_us") == (2_666, 2_666)


def test_a_number_too_large_for_alsa_lib_is_not_cut_short(playback: alsamm.PCM) -> None:
    hw = HwParams(playback)
    with pytest.raises(alsamm.ParameterError, match="period_size 4294967552 frames cannot be had"):
        hw.period_size = (1 << 32) + 256


def test_what_is_not_decided_cannot_be_read(playback: alsamm.PCM) -> None:
    hw = HwParams(playback)
    for name, left in (
        ("rate", "rate is not decided yet: 8000 to 48000"),
        ("channels", "1 to 2"),
        ("format", "format is not decided yet: U8, S16_LE"),
        ("access", "MMAP_INTERLEAVED"),
        ("buffer_size", "to 16384"),
        ("rate_ratio", "rate_ratio is not known"),
    ):
        with pytest.raises(alsamm.StateError, match=left):
            getattr(hw, name)


@pytest.mark.parametrize("value", ["fast", 44_100.0, None, [1]])
def test_a_number_must_be_one(playback: alsamm.PCM, value: Any) -> None:
    with pytest.raises(alsamm.ArgumentTypeError, match="a whole number"):
        HwParams(playback).rate = value


@pytest.mark.parametrize("name", ["format", "access"])
def test_unknown_names_are_told_the_known_ones(playback: alsamm.PCM, name: str) -> None:
    with pytest.raises(alsamm.ArgumentError, match=r"'nonsense' is no .*; there are .*S16_LE|MMAP_INTERLEAVED"):
        setattr(HwParams(playback), name, "nonsense")


def test_unknown_quantities(playback: alsamm.PCM) -> None:
    hw: Any = HwParams(playback)
    with pytest.raises(alsamm.ArgumentError, match="there are channels, rate"):
        hw.nearest(speed=3)
    with pytest.raises(alsamm.ArgumentError, match="there are channels, rate"):
        hw.range("speed")
    with pytest.raises(alsamm.ArgumentError, match="there are channels, rate"):
        hw.allows(speed=3)
    with pytest.raises(alsamm.ArgumentError, match="one number at a time"):
        hw.nearest(rate=3, channels=2)
    with pytest.raises(alsamm.ArgumentError, match="one number at a time"):
        hw.at_least()
    with pytest.raises(alsamm.ArgumentError, match="there are channels, rate"):
        hw.largest("speed")


def test_nearest_gives_what_was_granted(playback: alsamm.PCM) -> None:
    hw = HwParams(playback)
    assert hw.nearest(rate=96_000) == hw.rate == 48_000
    assert hw.nearest(channels=-5) == hw.channels == 1
    hw.format = "S16_LE"
    assert hw.nearest(period_size=1 << 50) == hw.period_size == 2048


def test_bounds_narrow_and_ends_decide(playback: alsamm.PCM) -> None:
    hw = HwParams(playback)
    assert hw.at_least(rate=10_000) == 44_100
    assert hw.at_most(rate=47_999) == 44_100
    assert hw.rate == 44_100
    assert hw.smallest("channels") == 1
    hw.format = "S16_LE"
    assert hw.at_most(buffer_size=1_000) == 1_000
    assert hw.largest("buffer_size") == hw.buffer_size == 1_000


def test_a_bound_out_of_reach(playback: alsamm.PCM) -> None:
    hw = HwParams(playback)
    with pytest.raises(alsamm.ParameterError, match="at least rate 96000 Hz cannot be had; the card does 8000 to"):
        hw.at_least(rate=96_000)
    with pytest.raises(alsamm.ParameterError, match="at most rate -1 Hz cannot be had"):
        hw.at_most(rate=-1)
    with pytest.raises(alsamm.ParameterError, match="at least buffer_size"):
        hw.at_least(buffer_size=1 << 70)
    assert hw.range("rate") == (8_000, 48_000)


def test_allows_asks_for_all_at_once_and_changes_nothing(playback: alsamm.PCM) -> None:
    hw = HwParams(playback)
    assert hw.allows(rate=44_100)
    assert not hw.allows(rate=11_025)
    assert hw.allows(format="S32_LE", channels=2, rate=48_000, access=Access.RW_INTERLEAVED)
    assert not hw.allows(format="S32_LE", channels=2, period_size=1024)  # 8192 bytes
    assert hw.range("rate") == (8_000, 48_000)


def test_a_copy_goes_its_own_way(playback: alsamm.PCM) -> None:
    hw = HwParams(playback)
    hw.channels = 2
    other = hw.copy()
    other.rate = 8_000
    assert other.channels == 2
    assert hw.range("rate") == (8_000, 48_000)


def test_what_is_open_is_chosen_and_then_readable(playback: alsamm.PCM) -> None:
    hw = HwParams(playback)
    playback.configure(hw)
    assert (hw.access, hw.format, hw.channels, hw.rate) == (Access.MMAP_INTERLEAVED, Format.U8, 1, 8_000)
    assert hw.buffer_size == playback.geometry().buffer_size
    assert playback.hw_params().period_size == hw.period_size
    assert ".." not in repr(hw)


def test_flags(playback: alsamm.PCM) -> None:
    hw = HwParams(playback)
    names = [name for name in dir(HwParams) if name.startswith(("can_", "is_"))]
    assert len(names) == 12
    assert all(isinstance(getattr(hw, name), bool) for name in [*names, "audio_wallclock"])
    assert hw.period_wakeup
    assert hw.rate_resample
    hw.rate_resample = False
    assert not hw.rate_resample


def test_interrupts_stay_on_where_the_card_cannot_do_without(playback: alsamm.PCM) -> None:
    hw = HwParams(playback)
    assert not hw.can_disable_period_wakeup  # alsa-lib's plugins, such as the software card's, never can
    with pytest.raises(alsamm.UnsupportedError, match="cannot do without interrupts"):
        hw.period_wakeup = False
    hw.period_wakeup = True


def test_use_after_close(playback: alsamm.PCM) -> None:
    hw = HwParams(playback)
    playback.close()
    for use in (
        lambda: setattr(hw, "rate", 8_000),
        lambda: hw.rate,
        lambda: hw.formats,
        lambda: hw.range("rate"),
        lambda: hw.nearest(rate=8_000),
        lambda: hw.period_wakeup,
        lambda: HwParams(playback),
    ):
        with pytest.raises(alsamm.ClosedError):
            use()
    assert "closed" in repr(hw)


def test_a_plugin_can_do_what_the_card_cannot() -> None:
    with alsamm.PCM("plug:null", "playback") as pcm:
        hw = pcm.setup(access="RW_INTERLEAVED", format="S24_3BE", channels=5, rate=12_345)
        assert (hw.format, hw.channels, hw.rate) == (Format.S24_3BE, 5, 12_345)
