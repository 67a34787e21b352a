"""Cases that may run beside themselves: ``make parallel`` runs each in four threads at a time. No fixture is shared.

What they have in common is the process: alsa-lib and its configuration, the C module, the software cards' registry.
"""

from __future__ import annotations

import contextlib
import threading
from typing import Any

import numpy as np
import pytest

import alsamm
from alsamm import sim
from alsamm.testing import assert_no_xruns, assert_played, making_cards, tone

SIZES: dict[str, Any] = {"channels": 2, "period_size": 64, "buffer_size": 256}
SOUND = np.arange(1, 4_001, dtype="i2").reshape(-1, 2)


@pytest.mark.parametrize("refuse", [False, True], ids=["mapped", "SYNC_PTR"])
def test_playing(refuse: bool) -> None:
    with making_cards() as make:
        card = make(refuse_status=refuse, refuse_control=refuse)
        with alsamm.playback(card.device, **SIZES) as out:
            out.write(SOUND)
            assert out.time().frame <= out.frame
        assert_played(card, SOUND)
        assert_no_xruns(card)


def test_recording_what_is_fed() -> None:
    with making_cards() as make:
        card = make()
        with alsamm.capture(card.device, format="S16_LE", dtype="f4", **SIZES) as mic:
            card.feed(tone(1_000, 2_000, channels=2))
            heard = mic.read(2_000)
        np.testing.assert_allclose(heard, tone(1_000, 2_000, channels=2) / 2.0**15)


def test_duplex() -> None:
    with making_cards() as make:
        card = make(loop=True)
        with alsamm.duplex(card.device, **SIZES) as io:
            heard = np.concatenate([io.exchange(SOUND[n : n + 100]) for n in range(0, 2_000, 100)])
            assert io.offset == SIZES["buffer_size"]
        np.testing.assert_array_equal(heard, SOUND)


def test_views_and_callbacks_each_on_a_ring_of_their_own() -> None:
    with making_cards() as make, alsamm.PCM(make().device, "playback") as pcm:
        pcm.setup(**SIZES)
        with alsamm.MmapPlayback(pcm) as ring:
            for n in range(0, 2_000, 50):
                ring.wait()
                with ring.reserve(50) as view:
                    view[:] = SOUND[n : n + len(view)]


def test_the_null_pcm_and_its_whole_configuration_space() -> None:
    with alsamm.PCM("null", "playback") as pcm:
        hw = alsamm.HwParams(pcm)
        hw.format, hw.channels, hw.rate, hw.access = "S16_LE", 2, 44_100, "RW_INTERLEAVED"
        pcm.configure(hw)
        assert pcm.writei(SOUND[:100]) == 100


def test_names_that_open_nothing() -> None:
    """alsa-lib forgets and reads its configuration anew for each, while others open."""
    for name in ("hw:77", "nothing", "plughw:CARD=none"):
        with pytest.raises(alsamm.DeviceNotFoundError):
            alsamm.PCM(name, "playback")
    assert "null" in alsamm.pcms("playback")
    alsamm.cards()


def test_errors_in_with_blocks() -> None:
    with making_cards() as make:
        for way in ("playback", "capture"):
            card = make()
            with pytest.raises(ZeroDivisionError), getattr(alsamm, way)(card.device, **SIZES):
                raise ZeroDivisionError
            card.unplug()
            with pytest.raises(alsamm.DeviceNotFoundError):
                getattr(alsamm, way)(card.device, **SIZES)


def test_one_software_card_from_several_threads() -> None:
    """Card: any thread; every method takes the card's lock. Nothing is played twice, and nothing lost."""
    with making_cards() as make:
        card: sim.Card = make(clock="manual")
        problems: list[BaseException] = []
        with alsamm.PCM(card.device, "playback") as pcm, alsamm.MmapPlayback(_configured(pcm)) as ring:
            ring.write(np.zeros((256, 2), "i2"))
            ring.start()

            def work() -> None:
                try:
                    for _ in range(300):
                        card.advance(1)
                        assert 0 <= card.playback.position < card.playback.boundary
                        assert len(card.played()) <= 5_000
                        card.feed(np.zeros((1, 2), "i2"))
                        card.late(1)
                        with contextlib.suppress(alsamm.ArgumentError):
                            make(name=card.name)  # which is taken
                        repr(card.playback)
                except BaseException as error:  # noqa: BLE001 -- told below
                    problems.append(error)

            threads = [threading.Thread(target=work) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)
            assert not problems, problems
            assert card.playback.frames_moved == 1_200
            ring.drop()


def _configured(pcm: alsamm.PCM) -> alsamm.PCM:
    pcm.setup(**SIZES)
    sw = pcm.sw_params()
    sw.stop_threshold = sw.start_threshold = sw.boundary
    pcm.configure(sw=sw)
    return pcm
