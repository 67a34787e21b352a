"""Waiting, and draining to the end, on both roads."""

from __future__ import annotations

import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest

import alsamm
from alsamm import PCM, MmapPlayback, State, sim
from tests.alsalib.conftest import setup, state

Open = Callable[..., PCM]
BOTH = pytest.mark.parametrize("name", ["sim:small", "null"])


def ones(frames: int) -> np.ndarray[Any, np.dtype[np.int16]]:
    return np.ones((frames, 2), "i2")


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


@pytest.fixture
def silent() -> Iterator[sim.Card]:
    """It makes no interrupts, so that whoever asks is the first to find that all is played (seen on such an HDA)."""
    with sim.Card("quiet", clock="manual", interrupts=False) as made:
        yield made


@pytest.mark.parametrize("use", [PCM.hwsync, PCM.avail, PCM.delay])
def test_the_end_of_a_drain_is_no_xrun(opened: Open, silent: sim.Card, use: Callable[[PCM], object]) -> None:
    """The kernel answers EPIPE to whoever makes it find that."""
    pcm = opened(silent.device, "playback", blocking=False)
    setup(pcm)
    pcm.writei(ones(512))
    with pytest.raises(alsamm.WouldBlockError):
        pcm.drain()
    silent.advance(2_048)
    with pytest.raises(alsamm.StateError, match="drained to the end"):
        use(pcm)
    assert state(pcm) is State.SETUP


@pytest.mark.parametrize(
    "use",
    [MmapPlayback.hwsync, MmapPlayback.delay, partial(MmapPlayback.snapshot, hwsync=True)],
    ids=["hwsync", "delay", "snapshot"],
)
def test_nor_is_it_for_a_ring(opened: Open, silent: sim.Card, use: Callable[[MmapPlayback], object]) -> None:
    """Underrun was raised."""
    pcm = opened(silent.device, "playback")
    setup(pcm, access="MMAP_INTERLEAVED")
    with MmapPlayback(pcm) as ring:
        ring.write(ones(512))
        with pytest.raises(TimeoutError):
            ring.drain(0)
        silent.advance(2_048)
        with pytest.raises(alsamm.StateError, match="drained to the end"):
            use(ring)
        assert ring.state is State.SETUP
