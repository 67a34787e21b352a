"""When a stream starts, stops and wakes."""

from __future__ import annotations

from typing import Any

import pytest

import alsamm
from alsamm import ClockType, MmapPlayback, SwParams, sim
from tests.alsalib.conftest import setup


def test_the_defaults(playback: alsamm.PCM, card: sim.Card) -> None:
    hw = setup(playback)
    sw = SwParams(playback)
    assert (sw.start_threshold, sw.stop_threshold, sw.avail_min) == (1, hw.buffer_size, hw.period_size)
    assert (sw.silence_threshold, sw.silence_size, sw.period_event) == (0, 0, False)
    assert (sw.tstamp, sw.tstamp_type) == (True, ClockType.MONOTONIC)
    assert sw.boundary % hw.buffer_size == 0
    assert (card.playback.timestamps, card.playback.clock_type) == (True, ClockType.MONOTONIC)
    assert "stop_threshold=1024" in repr(sw)


def test_what_is_set_reaches_the_card(playback: alsamm.PCM, card: sim.Card) -> None:
    setup(playback)
    sw = playback.sw_params()
    sw.start_threshold, sw.stop_threshold, sw.avail_min = 512, sw.boundary, 300
    sw.silence_threshold, sw.silence_size = 256, 128
    sw.tstamp, sw.tstamp_type = False, "monotonic_raw"
    playback.configure(sw=sw)
    truth = card.playback
    assert (truth.start_threshold, truth.stop_threshold, truth.avail_min) == (512, sw.boundary, 300)
    assert (truth.silence_threshold, truth.silence_size, truth.timestamps) == (256, 128, False)
    assert truth.clock_type is ClockType.MONOTONIC_RAW
    assert playback.geometry().start_threshold == 512
    assert playback.geometry().stop_threshold == sw.boundary
    assert playback.sw_params().avail_min == 300


@pytest.mark.parametrize(
    ("name", "value", "could"),
    [
        ("start_threshold", -1, "start_threshold -1 cannot be had; 0 to"),
        ("stop_threshold", 0, "stop_threshold 0 cannot be had; 1 to"),
        ("avail_min", 0, "avail_min 0 cannot be had; 256 to"),
        ("avail_min", 255, "avail_min 255 cannot be had; 256 to"),
        ("avail_min", 1 << 63, "cannot be had; 256 to"),
        ("silence_threshold", 1024, "silence_threshold 1024 cannot be had; it must be less than the buffer"),
        ("silence_size", 1025, "silence_size 1025 cannot be had"),
    ],
)
def test_what_cannot_be_had(playback: alsamm.PCM, name: str, value: int, could: str) -> None:
    setup(playback)
    sw = playback.sw_params()
    before = repr(sw)
    with pytest.raises(alsamm.ParameterError, match=could):
        setattr(sw, name, value)
    assert repr(sw) == before


def test_what_only_the_card_can_refuse(playback: alsamm.PCM) -> None:
    setup(playback)
    sw = playback.sw_params()
    sw.silence_size = 512  # with a threshold of 0
    with pytest.raises(alsamm.ParameterError, match="silence_size 512 cannot be had; silence_size may be boundary"):
        playback.configure(sw=sw)


@pytest.mark.parametrize("value", ["many", 1.5, None])
def test_a_number_must_be_one(playback: alsamm.PCM, value: Any) -> None:
    setup(playback)
    with pytest.raises(alsamm.ArgumentTypeError, match="a whole number"):
        playback.sw_params().avail_min = value


def test_an_unknown_clock(playback: alsamm.PCM) -> None:
    setup(playback)
    with pytest.raises(alsamm.ArgumentError, match="REALTIME, MONOTONIC"):
        playback.sw_params().tstamp_type = "wrist"


def test_there_are_none_before_configure(playback: alsamm.PCM) -> None:
    with pytest.raises(alsamm.StateError, match="no software parameters before configure"):
        SwParams(playback)


def test_a_new_configuration_takes_what_was_changed_along(playback: alsamm.PCM) -> None:
    setup(playback)
    sw = playback.sw_params()
    sw.start_threshold = 777
    hw = alsamm.HwParams(playback)
    hw.access, hw.format, hw.channels, hw.rate, hw.period_size, hw.buffer_size = (
        "RW_INTERLEAVED", "S16_LE", 1, 44_100, 128, 512,
    )  # fmt: skip
    playback.configure(hw, sw)
    now = playback.sw_params()
    assert (now.start_threshold, now.stop_threshold, now.avail_min) == (777, 512, 128)


def test_a_mapped_rings_own_avail_min_is_kept(playback: alsamm.PCM) -> None:
    setup(playback, access="MMAP_INTERLEAVED")
    with MmapPlayback(playback) as ring:
        ring.control.avail_min = 7  # below a period, which alsa-lib's own setter would refuse
        sw = playback.sw_params()
        sw.start_threshold = 99
        playback.configure(sw=sw)
        assert ring.avail_min == 7
        assert ring.geometry.start_threshold == 99
        sw = playback.sw_params()
        sw.avail_min = 300
        playback.configure(sw=sw)
        assert ring.avail_min == 300


def test_use_after_close(playback: alsamm.PCM) -> None:
    setup(playback)
    sw = playback.sw_params()
    playback.close()
    with pytest.raises(alsamm.ClosedError):
        sw.avail_min = 300
