"""The software card as its maker and alsa-lib see it."""

from __future__ import annotations

import contextlib
import gc
import os
import subprocess
import sys
from typing import Any

import pytest

import alsamm
from alsamm import errors
from alsamm._c import ffi, lib
from alsamm.enums import Access, Direction, Format, State
from alsamm.sim import Card
from alsamm.sim.opener import CARDS


def test_alsamm_does_not_import_it() -> None:
    code = "import sys, alsamm; sys.exit('alsamm.sim' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "options",
    [
        {"name": ""},
        {"name": "a:b"},
        {"name": "x" * 64},
        {"clock": "sundial"},
        {"speed": 0},
        {"ppm": -2_000_000},
        {"channels": (0, 2)},
        {"channels": (3, 2)},
        {"rates": []},
        {"rates": [0]},
        {"formats": []},
        {"formats": ["S17"]},
        {"accesses": ["MMAP_COMPLEX"]},
        {"granularity": 0},
        {"boundary": -1},
        {"channels": 129},
    ],
)
def test_arguments_that_cannot_be(options: dict[str, Any]) -> None:
    with pytest.raises((errors.ArgumentError, errors.AlsaOSError)):
        Card(options.pop("name", "wrong"), **options)
    assert "wrong" not in CARDS


def test_names_are_taken_while_a_card_lives() -> None:
    with Card("one") as card:
        assert card.device == "sim:one"
        with pytest.raises(errors.ArgumentError):
            Card("one")
    assert card.closed
    card.close()
    Card("one").close()


def test_a_forgotten_card_is_closed() -> None:
    Card("forgotten", clock="realtime")
    gc.collect()
    assert "forgotten" not in CARDS
    Card("forgotten").close()


def test_a_card_lives_while_a_pcm_holds_it() -> None:
    card = Card("held")
    pcm = alsamm.PCM(card.device, "playback")
    del card
    gc.collect()
    assert "held" in CARDS
    pcm.close()
    del pcm
    gc.collect()
    assert "held" not in CARDS


def test_after_close() -> None:
    card = Card("closed")
    card.close()
    for use in (card.played, card.unplug, card.xrun, lambda: card.advance(1), lambda: card.feed([1])):
        with pytest.raises(errors.ClosedError):
            use()
    assert card.playback.state is State.OPEN
    with pytest.raises(errors.DeviceNotFoundError):
        alsamm.PCM("sim:closed", "playback")


def test_who_cannot_open() -> None:
    with Card("shop") as card:
        with pytest.raises(errors.DeviceNotFoundError, match="sim:shop"):
            alsamm.PCM("sim:elsewhere", "playback")
        with alsamm.PCM(card.device, "playback"):
            with pytest.raises(errors.DeviceBusyError):
                alsamm.PCM(card.device, "playback")
            alsamm.PCM(card.device, "capture").close()
        alsamm.PCM(card.device, "playback").close()
        card.busy("capture")
        with pytest.raises(errors.DeviceBusyError):
            alsamm.PCM(card.device, "capture")
        card.busy("capture", False)
        card.unplug()
        with pytest.raises(errors.DeviceNotFoundError):
            alsamm.PCM(card.device, "capture")


def test_limits_reach_alsa_lib() -> None:
    limits: dict[str, Any] = {
        "rates": [44_100, 48_000],
        "channels": (2, 8),
        "formats": ["S16_LE", "S32_LE"],
        "accesses": [Access.MMAP_INTERLEAVED],
        "periods": (2, 4),
    }
    with Card("limits", **limits) as card, alsamm.PCM(card.device, "playback") as pcm:
        hw = alsamm.HwParams(pcm)
        assert set(hw.accesses) == {Access.MMAP_INTERLEAVED}
        assert set(hw.formats) == {Format.S16_LE, Format.S32_LE}
        with pytest.raises(errors.ParameterError):
            hw.rate = 96_000
        with pytest.raises(errors.ParameterError):
            hw.channels = 1
        hw.rate, hw.channels, hw.format = 44_100, 6, "S32_LE"
        hw.nearest(period_size=500)
        hw.nearest(buffer_size=100_000)
        pcm.configure(hw)
        geometry = pcm.geometry()
        assert (geometry.rate, geometry.channels, geometry.buffer_size) == (44_100, 6, 4 * geometry.period_size)
        truth = card.playback
        assert (truth.rate, truth.channels, truth.format) == (44_100, 6, Format.S32_LE)
        assert (truth.buffer_size, truth.boundary) == (geometry.buffer_size, geometry.boundary)
        assert truth.state is State.PREPARED
        assert truth.timestamps


def test_alsa_lib_adopts_the_cards_boundary() -> None:
    with Card("wrap", boundary=4096) as card, alsamm.PCM(card.device, "capture") as pcm:
        hw = alsamm.HwParams(pcm)
        hw.access, hw.format, hw.channels, hw.rate = "MMAP_INTERLEAVED", "S16_LE", 2, 48_000
        hw.period_size, hw.buffer_size = 256, 1024
        pcm.configure(hw)
        assert pcm.geometry().boundary == 4096
        assert card.capture.boundary == 4096


@pytest.mark.parametrize(("flag", "can"), [("pause", "can_pause"), ("resume", "can_resume")])
@pytest.mark.parametrize("value", [True, False])
def test_what_it_can_is_told(flag: str, can: str, value: bool) -> None:
    options: dict[str, Any] = {flag: value}
    with Card("can", **options) as card, alsamm.PCM(card.device, "playback") as pcm:
        pcm.configure(alsamm.HwParams(pcm))
        assert getattr(pcm.hw_params(), can) is value


def test_closing_the_pcm_frees_the_substream() -> None:
    with Card("free") as card:
        for _ in range(3):
            with alsamm.PCM(card.device, "playback") as pcm:
                pcm.configure(alsamm.HwParams(pcm))
                assert card.playback.is_open
            assert not card.playback.is_open


def test_a_card_closed_under_its_pcm() -> None:
    card = Card("gone")
    pcm = alsamm.PCM(card.device, "playback")
    pcm.configure(alsamm.HwParams(pcm))
    card.close()
    assert pcm.state is State.DISCONNECTED
    with pytest.raises(errors.DeviceLostError):
        pcm.prepare()
    pcm.close()


def test_faults_where_nothing_is_open() -> None:
    with Card("idle") as card:
        with pytest.raises(errors.AlsaError):
            card.xrun()
        card.suspend()
        card.resume_power()
        card.unplug()
        card.replug()
        card.freeze()
        assert "closed" in repr(card.playback)
        assert "idle" in repr(card)


def test_rw_through_alsa_libs_own_calls_is_refused() -> None:
    """Frames go by the card's memory or by its descriptor; alsa-lib's copy would go nowhere."""
    with Card("rw") as card, alsamm.PCM(card.device, Direction.PLAYBACK) as pcm:
        hw = alsamm.HwParams(pcm)
        hw.access, hw.format, hw.channels = "RW_INTERLEAVED", "S16_LE", 1
        pcm.configure(hw)
        assert lib.snd_pcm_writei(pcm.handle, ffi.new("short[64]"), 64) < 0
        assert card.playback.appl_ptr == 0


def test_a_forked_child_has_no_card_and_does_the_parents_no_harm() -> None:
    with Card("family", clock="realtime") as card, alsamm.PCM(card.device, "playback") as pcm:
        pcm.configure(alsamm.HwParams(pcm))
        child = os.fork()
        if child == 0:
            code = 1
            with contextlib.suppress(BaseException):
                with pytest.raises(errors.AlsaError):
                    pcm.prepare()
                with pytest.raises(errors.ClosedError):
                    card.advance(1)
                card.close()
                with Card("family") as own, alsamm.PCM(own.device, "playback"):
                    assert own.playback.is_open
                code = 0
            os._exit(code)
        assert os.waitpid(child, 0)[1] == 0
        assert card.playback.state is State.PREPARED
        pcm.prepare()
