"""poll on the software card: rule I1, and how it sleeps."""

from __future__ import annotations

import errno
import os
import select
import signal
import threading
import time
from typing import Any

import pytest

from alsamm._c import ffi, lib
from alsamm.enums import Direction, State
from alsamm.sim import Card
from alsamm.sim.opener import open_sim
from tests.unit.simkit import Raw, raw

OUT, IN, ERR = lib.POLLOUT, lib.POLLIN, lib.POLLERR


def test_playback_table() -> None:
    with raw(prepared=False) as pcm:
        assert pcm.poll() == (1, OUT | ERR), "OPEN"
        pcm.configure()
        assert pcm.poll() == (1, OUT | ERR), "SETUP"
        pcm.op("prepare")
        assert pcm.poll() == (1, OUT), "PREPARED, empty (I5)"
        pcm.commit(256)
        assert pcm.poll() == (0, 0), "PREPARED, full"
        pcm.op("start")
        pcm.card.advance(63)
        pcm.op("hwsync")
        assert pcm.poll() == (0, 0), "63 of avail_min 64"
        pcm.card.advance(1)
        assert pcm.poll() == (1, OUT)
        pcm.op("pause", 1)
        assert pcm.poll() == (1, OUT), "PAUSED"
        pcm.op("pause", 0)
        pcm.op("xrun")
        assert pcm.poll() == (1, OUT | ERR), "XRUN"
        pcm.card.unplug()
        assert pcm.poll() == (1, ERR), "gone: no POLLHUP"


def test_capture_table() -> None:
    with raw(capture=True) as pcm:
        assert pcm.poll() == (0, 0), "PREPARED: nothing until START (I5)"
        pcm.op("start")
        assert pcm.poll() == (0, 0)
        pcm.card.advance(64)
        assert pcm.poll() == (1, IN)


def test_poll_uses_the_stale_pointer() -> None:
    with raw() as pcm:
        pcm.commit(256)
        pcm.op("start")
        pcm.sync(lib.ALSAMM_SYNC_GET_APPL, 0, 1)
        pcm.card.advance(63)
        assert pcm.poll() == (0, 0), "a low avail_min does not wake earlier (I2)"
        pcm.op("hwsync")
        assert pcm.poll() == (1, OUT)


def test_timeout_is_real_time_on_a_manual_card() -> None:
    with raw() as pcm:
        pcm.commit(256)
        pcm.op("start")
        began = time.monotonic()
        assert pcm.poll(50) == (0, 0)
        assert 0.045 <= time.monotonic() - began < 2


def test_another_threads_advance_wakes() -> None:
    with raw() as pcm:
        pcm.commit(256)
        pcm.op("start")
        later = threading.Timer(0.05, pcm.card.advance, (64,))
        later.start()
        assert pcm.poll(5000) == (1, OUT)
        later.join()


def ignore(_number: int, _frame: object) -> None:
    """A handler: without one the signal would not interrupt."""


def test_a_signal_ends_the_sleep() -> None:
    with raw() as pcm:
        pcm.commit(256)
        pcm.op("start")
        old = signal.signal(signal.SIGALRM, ignore)
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        try:
            assert pcm.poll(5000) == (-errno.EINTR, 0)
            signal.setitimer(signal.ITIMER_REAL, 0.02)
            assert pcm.op("drain") == -errno.EINTR
            assert pcm.state() is State.DRAINING
        finally:
            signal.signal(signal.SIGALRM, old)


def test_auto_card_runs_to_the_next_interrupt_instead_of_sleeping() -> None:
    with raw(clock="auto") as pcm:
        pcm.commit(256)
        pcm.op("start")
        assert pcm.poll(-1) == (1, OUT)
        assert pcm.truth.position == 64
        pcm.commit(64)
        assert pcm.poll(0) == (0, 0), "no sleep, no time"
        assert pcm.truth.position == 64
        assert pcm.poll(1) == (0, 0)
        assert pcm.truth.position == 64 + 48, "1 ms of card time"


def test_auto_card_without_interrupts_passes_the_time_of_the_sleep() -> None:
    with raw(clock="auto", interrupts=False) as pcm:
        pcm.commit(256)
        pcm.op("start")
        began = time.monotonic()
        assert pcm.poll(3) == (0, 0)
        assert time.monotonic() - began < 0.5
        assert (pcm.truth.hw_ptr, pcm.truth.position) == (0, 144), "nobody told hw_ptr (H6)"
        pcm.op("hwsync")
        assert pcm.truth.hw_ptr == 144


def test_close_wakes_a_sleeper() -> None:
    with raw() as pcm:
        pcm.commit(256)
        pcm.op("start")
        later = threading.Timer(0.05, pcm.card.close)
        later.start()
        assert pcm.poll(5000) == (1, ERR)
        later.join()
        assert pcm.op("hwsync") == -errno.ENODEV


class Plugged(Raw):
    """A PCM of alsa-lib's, for its poll descriptor."""

    def __init__(self, card: Card, direction: Direction) -> None:
        self.opened = open_sim(card.device, direction)
        self.card = card
        self.capture = direction is Direction.CAPTURE
        self.fd = self.opened.kernel_fd
        self.truth = card.capture if self.capture else card.playback
        self._maps = []

    def event(self) -> bool:
        pollfd = ffi.new("struct pollfd *")
        assert lib.snd_pcm_poll_descriptors(self.opened.handle, pollfd, 1) == 1
        return bool(select.select([pollfd.fd], [], [], 0)[0])


@pytest.fixture
def plugged() -> Any:
    with Card("unit") as card:
        pcm = Plugged(card, Direction.PLAYBACK)
        pcm.configure()
        pcm.op("prepare")
        yield pcm
        lib.snd_pcm_close(pcm.opened.handle)


def test_the_event_descriptor_follows_poll(plugged: Plugged) -> None:
    assert plugged.event(), "PREPARED, empty"
    plugged.commit(256)
    assert not plugged.event()
    plugged.op("start")
    assert not plugged.event()
    plugged.card.advance(64)
    assert plugged.event()
    plugged.commit(64)
    assert not plugged.event()
    plugged.card.xrun()
    assert plugged.event()
    plugged.op("prepare")
    plugged.commit(256)
    assert not plugged.event()
    plugged.card.unplug()
    assert plugged.event()


def test_the_opener_leaves_the_descriptor_non_blocking(plugged: Plugged) -> None:
    assert not os.get_blocking(plugged.fd)


def test_an_event_loop_of_the_clients_own_moves_an_auto_card() -> None:
    with Card("loop", clock="auto") as card:
        pcm = Plugged(card, Direction.PLAYBACK)
        pcm.configure()
        pcm.op("prepare")
        pcm.commit(256)
        pcm.op("start")
        pollfd, revents = ffi.new("struct pollfd *"), ffi.new("unsigned short *")
        assert lib.snd_pcm_poll_descriptors(pcm.opened.handle, pollfd, 1) == 1
        for turn in range(1, 20):
            assert select.select([pollfd.fd], [], [], 5)[0], "always readable: its owner sleeps where nobody sees it"
            pollfd.revents = select.POLLIN
            assert lib.snd_pcm_poll_descriptors_revents(pcm.opened.handle, pollfd, 1, revents) == 0
            assert revents[0] == OUT
            assert pcm.truth.hw_ptr == 64 * turn
            pcm.commit(64)
        lib.snd_pcm_close(pcm.opened.handle)
