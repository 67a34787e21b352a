"""A stream from its preparation to its end, on both roads."""

from __future__ import annotations

import errno
import os
import select
import signal
import threading
import time
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


# ---- waiting ----


@BOTH
def test_wait_until_there_is_room(card: sim.Card, opened: Open, name: str) -> None:
    pcm = opened(name, "playback")
    setup(pcm)
    assert pcm.wait()
    pcm.writei(ones(1024))
    assert pcm.wait()
    assert pcm.avail() >= 256
    assert card.name == "small"


def test_a_capture_that_was_not_started_would_never_wake(capture: PCM, opened: Open) -> None:
    for pcm in (capture, opened("null", "capture")):
        setup(pcm)
        with pytest.raises(alsamm.StateError, match=r"before start\(\) would never end"):
            pcm.wait()


def test_wait_has_an_end(opened: Open) -> None:
    with sim.Card("still") as card:
        pcm = opened(card.device, "playback")
        setup(pcm)
        pcm.writei(ones(1024))
        for timeout in (0, 0.01):
            with pytest.raises(TimeoutError, match="room did not come within"):
                pcm.wait(timeout)
        with pytest.raises(alsamm.ArgumentError, match="0 or more"):
            pcm.wait(-1)
        pcm.close()


def test_drain_has_an_end(opened: Open) -> None:
    with sim.Card("still") as card:
        pcm = opened(card.device, "playback")
        setup(pcm)
        pcm.writei(ones(1024))
        with pytest.raises(TimeoutError, match=r"the end of drain\(\) did not come within 0.01 s"):
            pcm.drain(0.01)
        assert state(pcm) is State.DRAINING
        assert os.get_blocking(pcm.kernel_fd())
        pcm.close()


def test_drain_of_a_non_blocking_pcm(card: sim.Card, opened: Open) -> None:
    pcm = opened(card.device, "playback", blocking=False)
    setup(pcm)
    pcm.writei(ones(512))
    with pytest.raises(alsamm.WouldBlockError):
        pcm.drain()
    assert state(pcm) is State.DRAINING
    card.advance(1024)
    assert state(pcm) is State.SETUP


def test_drain_on_alsa_libs_road_has_an_end_too(opened: Open) -> None:
    pcm = opened("null", "playback")
    setup(pcm)
    pcm.writei(ones(512))
    pcm.drain(1.0)
    assert state(pcm) is State.SETUP


def test_a_drained_capture_keeps_what_it_has(capture: PCM, card: sim.Card) -> None:
    setup(capture)
    capture.start()
    card.advance(300)
    capture.hwsync()
    capture.drain()
    assert state(capture) is State.DRAINING
    assert capture.avail() == 300
    with pytest.raises(alsamm.StateError):
        capture.readi(frames=300)  # the kernel copies no more


def test_a_signal_is_heard_while_waiting(opened: Open) -> None:
    class Alarm(Exception):  # noqa: N818
        pass

    def ring(*_: object) -> None:
        raise Alarm

    with sim.Card("still") as card:
        pcm = opened(card.device, "playback")
        setup(pcm)
        pcm.writei(ones(1024))
        before = signal.signal(signal.SIGALRM, ring)
        try:
            for use in (lambda: pcm.wait(20), lambda: pcm.writei(ones(1)), lambda: pcm.drain(20)):
                signal.setitimer(signal.ITIMER_REAL, 0.05)
                with pytest.raises(Alarm):
                    use()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        pcm.close()


def test_other_threads_run_while_one_waits(opened: Open) -> None:
    with sim.Card("still") as card:
        pcm = opened(card.device, "playback")
        setup(pcm)
        pcm.writei(ones(1024))
        waiting = threading.Thread(target=lambda: pcm.writei(ones(512)))
        waiting.start()
        time.sleep(0.02)
        card.advance(512)
        waiting.join(5)
        assert not waiting.is_alive()
        assert pcm.status().appl_ptr == 1536
        pcm.close()


def test_the_descriptor_is_for_select(opened: Open) -> None:
    with sim.Card("still") as card:
        capture = opened(card.device, "capture")
        setup(capture)
        [(fd, events)] = capture.poll_descriptors()
        assert fd == capture.fileno()
        poll = select.poll()
        poll.register(fd, events)
        capture.start()
        assert not capture.poll_revents(poll.poll(0)) & select.POLLIN
        card.advance(256)
        ready = poll.poll(1_000)
        assert capture.poll_revents([(1_000_000, 0), *ready]) & select.POLLIN  # descriptors of others are passed over
        capture.close()


def test_alsa_libs_road_has_descriptors_too(opened: Open) -> None:
    pcm = opened("null", "playback")
    setup(pcm)
    assert pcm.fileno() == pcm.poll_descriptors()[0][0]
    assert pcm.poll_revents([(pcm.fileno(), select.POLLOUT)]) & select.POLLOUT


def test_the_end_of_a_drain_is_no_xrun(opened: Open) -> None:
    """The kernel answers EPIPE to whoever makes it find that all is played (seen on HDA without interrupts)."""
    with sim.Card("quiet", clock="manual", interrupts=False) as silent:
        uses: list[Callable[[PCM], object]] = [PCM.hwsync, PCM.avail, PCM.delay]
        for use in uses:
            pcm = opened(silent.device, "playback", blocking=False)
            setup(pcm)
            pcm.writei(ones(512))
            with pytest.raises(alsamm.WouldBlockError):
                pcm.drain()
            silent.advance(2_048)
            with pytest.raises(alsamm.StateError, match="drained to the end"):
                use(pcm)
            assert state(pcm) is State.SETUP
            pcm.close()


def test_the_end_of_a_drain_is_no_xrun_for_the_ring_either(opened: Open) -> None:
    """Its hwsync, delay and snapshot raised Underrun."""
    with sim.Card("quiet", clock="manual", interrupts=False) as silent:
        uses: list[Callable[[alsamm.MmapPlayback], object]] = [
            alsamm.MmapPlayback.hwsync,
            alsamm.MmapPlayback.delay,
            lambda ring: ring.snapshot(hwsync=True),
        ]
        for use in uses:
            pcm = opened(silent.device, "playback")
            setup(pcm, access="MMAP_INTERLEAVED")
            with alsamm.MmapPlayback(pcm) as ring:
                ring.write(ones(512))
                with pytest.raises(TimeoutError):
                    ring.drain(0)
                silent.advance(2_048)
                with pytest.raises(alsamm.StateError, match="drained to the end"):
                    use(ring)
            pcm.close()
