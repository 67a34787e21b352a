"""A stream from its preparation to its end, on both roads."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import alsamm
from alsamm import PCM, State, sim
from tests.alsalib.conftest import setup, state

Open = Callable[..., PCM]
BOTH = pytest.mark.parametrize("name", ["sim:small", "null"])


def ones(frames: int) -> np.ndarray[Any, np.dtype[np.int16]]:
    return np.ones((frames, 2), "i2")


def test_what_is_written_is_played_and_nothing_else(playback: PCM, card: sim.Card) -> None:
    setup(playback)
    block = np.arange(2 * 5_000, dtype="i2").reshape(-1, 2)
    assert playback.writei(block) == 5_000
    assert state(playback) is State.RUNNING
    playback.drain()
    assert state(playback) is State.SETUP
    heard = card.played()
    np.testing.assert_array_equal(heard[:5_000], block)
    assert not heard[5_000:].any()  # rule J3: what an earlier turn left in the ring is not heard again
    assert playback.sw_params().silence_size == 0
    playback.prepare()
    assert playback.avail() == 1024


def test_status_on_the_kernels_road(playback: PCM, card: sim.Card) -> None:
    setup(playback)
    playback.writei(ones(700))
    now = playback.status()
    assert (now.state, now.appl_ptr, now.hw_ptr) == (State.RUNNING, 700, 0)
    assert (now.avail, now.delay) == (324, 700)
    assert now.trigger_tstamp_ns == card.time_ns
    assert playback.delay() == 700


def test_status_on_alsa_libs_road(opened: Open) -> None:
    pcm = opened("null", "playback")
    setup(pcm)
    now = pcm.status()
    assert (now.state, now.appl_ptr, now.hw_ptr, now.avail) == (State.PREPARED, None, None, 1024)
    assert pcm.delay() == 0
    assert pcm.avail() == 1024


@BOTH
def test_the_states_of_a_playback(card: sim.Card, opened: Open, name: str) -> None:
    pcm = opened(name, "playback")
    with pytest.raises(alsamm.StateError):
        pcm.start()
    setup(pcm)
    assert pcm.writei(ones(512)) == 512
    assert state(pcm) is State.RUNNING
    pcm.drop()
    assert state(pcm) is State.SETUP
    pcm.prepare()
    assert state(pcm) is State.PREPARED
    pcm.writei(ones(512))
    pcm.drain()
    assert state(pcm) is State.SETUP
    assert card.name == "small"


def test_start_with_nothing_to_play(playback: PCM) -> None:
    setup(playback)
    with pytest.raises(alsamm.Underrun, match="nothing to play was written"):
        playback.start()
    assert state(playback) is State.PREPARED


def test_wrong_states_are_state_errors(playback: PCM) -> None:
    setup(playback)
    playback.writei(ones(1024))
    while_running: list[Callable[[], object]] = [playback.prepare, playback.start]
    for use in while_running:
        with pytest.raises(alsamm.StateError):
            use()
    playback.drop()
    once_dropped: list[Callable[[], object]] = [playback.avail, playback.delay, playback.hwsync, playback.pause]
    for use in [*once_dropped, playback.start]:
        with pytest.raises(alsamm.StateError):
            use()


def test_pause_holds_and_goes_on(playback: PCM) -> None:
    setup(playback)
    playback.writei(ones(1024))
    playback.pause()
    assert state(playback) is State.PAUSED
    playback.pause(False)
    assert state(playback) is State.RUNNING


def test_a_card_that_cannot_pause(opened: Open) -> None:
    with sim.Card("stiff", pause=False, resume=False) as card:
        pcm = opened(card.device, "playback")
        hw = setup(pcm)
        assert not hw.can_pause
        pcm.writei(ones(512))
        with pytest.raises(alsamm.UnsupportedError, match="the card cannot do this"):
            pcm.pause()
        pcm.close()


def test_rewind_and_forward(playback: PCM) -> None:
    setup(playback)
    playback.writei(ones(700))
    assert playback.rewind(200) == 200
    assert playback.forward(100) == 100
    assert playback.status().appl_ptr == 600
    for use in (playback.rewind, playback.forward):
        with pytest.raises(alsamm.ArgumentError):
            use(-1)


def test_reset_forgets(capture: PCM, card: sim.Card) -> None:
    setup(capture)
    capture.start()
    card.advance(300)
    assert capture.avail() == 300
    capture.reset()
    assert capture.avail() == 0


@pytest.mark.parametrize(("way", "error"), [("playback", alsamm.Underrun), ("capture", alsamm.Overrun)])
def test_an_xrun_is_told_until_prepare(card: sim.Card, opened: Open, way: str, error: type[Exception]) -> None:
    pcm = opened(card.device, way)
    setup(pcm)
    moves: dict[str, Callable[[], object]] = {
        "playback": lambda: pcm.writei(ones(1024)),
        "capture": lambda: pcm.readi(frames=1),
    }
    moves[way]()
    pcm.xrun()
    assert state(pcm) is State.XRUN
    uses: list[Callable[[], object]] = [pcm.avail, pcm.delay, pcm.hwsync, pcm.wait, moves[way]]
    for use in uses:
        with pytest.raises(error, match=r"prepare\(\) makes it ready again") as caught:
            use()
        assert isinstance(caught.value, alsamm.XrunError)
        assert caught.value.errno == errno.EPIPE
    pcm.prepare()
    assert state(pcm) is State.PREPARED


def test_being_late_is_an_xrun(playback: PCM, card: sim.Card) -> None:
    setup(playback)
    playback.writei(ones(512))
    card.advance(4_096)
    with pytest.raises(alsamm.Underrun):
        playback.writei(ones(512))


def test_an_xrun_can_be_forbidden(playback: PCM, card: sim.Card) -> None:
    setup(playback)
    sw = playback.sw_params()
    sw.stop_threshold = sw.boundary
    playback.configure(sw=sw)
    playback.writei(ones(512))
    card.advance(4_096)
    assert playback.avail() == 1024 + 4_096 - 512  # rule E3: by how much we are late


def test_an_unplugged_card(playback: PCM, card: sim.Card) -> None:
    setup(playback)
    playback.writei(ones(512))
    card.unplug()
    assert state(playback) is State.DISCONNECTED
    uses: list[Callable[[], object]] = [playback.avail, playback.start, playback.wait, playback.status]
    uses.append(lambda: playback.writei(ones(1)))
    for use in uses:
        with pytest.raises(alsamm.DeviceLostError):
            use()
    playback.close()


def test_a_suspended_card(playback: PCM, card: sim.Card) -> None:
    setup(playback)
    playback.writei(ones(1024))
    card.suspend()
    assert state(playback) is State.SUSPENDED
    with pytest.raises(alsamm.SuspendedError, match=r"resume\(\)"):
        playback.avail()
    card.resume_power()
    playback.resume()
    assert state(playback) is State.RUNNING


def test_linked_pcms_start_together(playback: PCM, capture: PCM) -> None:
    for pcm in (playback, capture):
        setup(pcm)
    playback.link(capture)
    playback.writei(ones(512))
    assert state(capture) is State.RUNNING
    capture.unlink()
    capture.drop()
    assert state(playback) is State.RUNNING


def test_what_cannot_be_linked(playback: PCM, opened: Open) -> None:
    null = opened("null", "playback")
    with pytest.raises(alsamm.UnsupportedError, match="only two PCMs of the kernel"):
        playback.link(null)
    with pytest.raises(alsamm.UnsupportedError, match="cannot be linked with a PCM of the kernel"):
        null.link(playback)


def test_only_the_kernels_can_be_told_to_xrun(opened: Open) -> None:
    pcm = opened("null", "playback")
    setup(pcm)
    with pytest.raises(alsamm.UnsupportedError):
        pcm.xrun()
