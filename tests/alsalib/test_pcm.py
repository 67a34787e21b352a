"""Configuring, and what a configured PCM tells to those who map it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import alsamm
from alsamm import PCM, Access, Format, HwParams, MmapPlayback, State, sim
from tests.alsalib.conftest import setup, state

Open = Callable[..., PCM]
BOTH = pytest.mark.parametrize("name", ["sim:small", "null"])


def ones(frames: int) -> np.ndarray[Any, np.dtype[np.int16]]:
    return np.ones((frames, 2), "i2")


# ---- configuring ----


@BOTH
def test_setup_is_exact_and_tells_what_was_granted(card: sim.Card, opened: Open, name: str) -> None:
    pcm = opened(name, "playback")
    hw = pcm.setup(format="S32_LE", channels=1, rate=44_100, period_size=100, periods=5)
    assert (hw.access, hw.buffer_size) == (Access.MMAP_INTERLEAVED, 500)
    told = pcm.geometry()
    assert (told.access, told.format, told.channels, told.rate) == (Access.MMAP_INTERLEAVED, Format.S32_LE, 1, 44_100)
    assert (told.period_size, told.buffer_size, told.msbits) == (100, 500, 32)
    assert (told.start_threshold, told.stop_threshold, told.period_wakeup) == (1, 500, True)
    assert told.boundary % 500 == 0
    assert state(pcm) is State.PREPARED
    assert "S32_LE x 1 at 44100 Hz" in repr(pcm)
    assert pcm.hw_params().rate == 44_100
    assert card.name == "small"


def test_setup_refuses_what_cannot_be_had(playback: PCM) -> None:
    with pytest.raises(alsamm.ParameterError, match="rate 96000 Hz cannot be had; the card does 8000 to 48000 Hz"):
        playback.setup(rate=96_000)
    assert state(playback) is State.OPEN


def test_nothing_is_known_before_configure(playback: PCM) -> None:
    for use in (playback.geometry, playback.avail, playback.hw_params, playback.sw_params, playback.wait):
        with pytest.raises(alsamm.StateError):
            use()


def test_configure_needs_something_of_its_own(playback: PCM, capture: PCM) -> None:
    with pytest.raises(alsamm.ArgumentError, match="HwParams, SwParams or both"):
        playback.configure()
    with pytest.raises(alsamm.ArgumentError, match="another PCM"):
        playback.configure(HwParams(capture))


@BOTH
def test_configured_anew_and_freed(card: sim.Card, opened: Open, name: str) -> None:
    pcm = opened(name, "playback")
    setup(pcm)
    pcm.setup(rate=44_100, period_size=128, buffer_size=512)
    assert pcm.geometry().rate == 44_100
    pcm.hw_free()
    with pytest.raises(alsamm.StateError, match="not configured"):
        pcm.geometry()
    assert card.playback.state is State.OPEN
    setup(pcm)
    assert pcm.geometry().rate == 48_000


def test_not_while_frames_move(playback: PCM) -> None:
    hw = setup(playback)
    playback.writei(ones(1024))
    changes: list[Callable[[], object]] = [lambda: playback.configure(hw), playback.hw_free]
    for change in changes:
        with pytest.raises(alsamm.StateError, match=r"is RUNNING; drop\(\) before it is"):
            change()
    playback.drop()
    playback.configure(hw)
    playback.writei(ones(512))
    playback.xrun()
    with pytest.raises(alsamm.StateError, match=r"is XRUN; drop\(\) before it is"):
        playback.configure(hw)
    playback.drop()
    playback.configure(hw)


# ---- as a device that is mapped ----


def test_only_the_kernels_own_can_be_mapped(opened: Open) -> None:
    for name, kind in (("null", "NULL"), ("plug:null", "PLUG")):
        with pytest.raises(alsamm.UnsupportedError, match=f"is a {kind} PCM: only the kernel's own"):
            opened(name, "playback").kernel_fd()


def test_a_mapped_pcm_is_not_changed_under_the_ring(playback: PCM) -> None:
    hw = setup(playback, access="MMAP_INTERLEAVED")
    with MmapPlayback(playback):
        changes: list[Callable[[], object]] = [lambda: playback.configure(hw), playback.hw_free]
        for change in changes:
            with pytest.raises(alsamm.StateError, match="is mapped; close the MmapPlayback before"):
                change()
        with pytest.raises(alsamm.StateError, match="already mapped by <MmapPlayback"):
            MmapPlayback(playback)
    playback.configure(hw)


def test_closing_unmaps_first(card: sim.Card, opened: Open) -> None:
    pcm = opened(card.device, "playback")
    setup(pcm, access="MMAP_INTERLEAVED")
    ring = MmapPlayback(pcm)
    pcm.close()
    assert ring.closed
    assert not card.playback.is_open
    opened(card.device, "playback")
