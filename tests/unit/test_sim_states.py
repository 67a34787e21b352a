"""The software card's state machine: part G of the rules, at ioctl level."""

from __future__ import annotations

import errno
import os

import numpy as np
import pytest

from alsamm._c import lib
from alsamm.enums import State
from tests.unit.simkit import Raw, card_of, raw


def test_pointers_after_every_state_change() -> None:
    with raw() as pcm:
        assert pcm.pointers == (State.PREPARED, 0, 0)
        assert pcm.op("start") == -errno.EPIPE, "nothing to play"
        assert pcm.commit(256) == 0
        assert pcm.op("start") == 0
        pcm.card.advance(100)
        assert pcm.pointers == (State.RUNNING, 64, 256)
        assert pcm.op("drop") == 0
        assert pcm.pointers == (State.SETUP, 64, 256), "drop keeps pointers"
        assert pcm.op("start") == -errno.EBADFD
        assert pcm.op("prepare") == 0
        assert pcm.pointers == (State.PREPARED, 0, 0)
        pcm.commit(128)
        pcm.op("start")
        assert pcm.op("prepare") == -errno.EBUSY
        assert pcm.op("pause", 1) == 0
        pcm.card.advance(64)
        assert pcm.pointers == (State.PAUSED, 0, 128)
        assert pcm.op("pause", 1) == -errno.EBADFD
        assert pcm.op("pause", 0) == 0
        pcm.card.advance(64)
        assert pcm.pointers == (State.RUNNING, 64, 128)
        pcm.card.advance(64)
        assert pcm.pointers == (State.XRUN, 128, 128)
        assert pcm.op("start") == -errno.EBADFD
        assert pcm.op("hwsync") == -errno.EPIPE
        assert pcm.delay()[0] == -errno.EPIPE
        assert pcm.op("xrun") == 0, "already there"
        assert pcm.op("prepare") == 0
        assert pcm.pointers == (State.PREPARED, 0, 0)


def test_open_and_setup_refuse() -> None:
    with raw(prepared=False) as pcm:
        for op in ("prepare", "start", "drop", "drain", "hwsync", "reset", "xrun"):
            assert pcm.op(op) == -errno.EBADFD, op
        assert pcm.sync()[0] == 0, "a plain query has no state check (D7)"
        assert pcm.configure() == 0
        assert pcm.state() is State.SETUP
        assert pcm.truth.avail_min == 64
        assert pcm.op("hwsync") == -errno.EBADFD
        assert pcm.op("drain") == 0, "in SETUP a no-op"
        assert lib.sim_hw_free(pcm.fd) == 0
        assert pcm.state() is State.OPEN
        assert lib.sim_hw_free(pcm.fd) == -errno.EBADFD


def test_hw_params_only_where_nothing_runs_and_failure_opens() -> None:
    with raw() as pcm:
        pcm.software(avail_min=7, stop_threshold=99)
        assert pcm.configure() == 0
        assert (pcm.truth.avail_min, pcm.truth.stop_threshold) == (64, 256), "software parameters start anew"
        pcm.op("prepare")
        pcm.commit(64)
        pcm.op("start")
        assert pcm.configure() == -errno.EBADFD
        pcm.op("drop")
        assert pcm.configure(rate=1) == -errno.EINVAL
        assert pcm.state() is State.OPEN


def test_xrun_is_seen_only_when_hw_ptr_moves() -> None:
    with raw() as pcm:
        pcm.commit(64)
        pcm.op("start")
        pcm.card.advance(63)
        assert pcm.sync(lib.ALSAMM_SYNC_GET_AVAIL_MIN, 0)[0] == 0
        assert pcm.pointers == (State.RUNNING, 0, 0), "the ring is empty, and nobody noticed (D2, G2)"
        assert pcm.sync(lib.ALSAMM_QUERY)[1].state == State.RUNNING
        assert pcm.sync(lib.ALSAMM_QUERY | lib.ALSAMM_SYNC_HWSYNC)[0] == -errno.EPIPE
        assert pcm.pointers == (State.XRUN, 63, 0)
        assert pcm.truth.xruns == 1


def test_xrun_not_looked_for_when_hw_ptr_stands() -> None:
    with raw() as pcm:
        pcm.commit(64)
        pcm.op("start")
        pcm.sync(lib.ALSAMM_SYNC_GET_AVAIL_MIN, 0)
        assert pcm.op("hwsync") == 0
        assert pcm.state() is State.RUNNING


def test_xrun_ioctl() -> None:
    with raw() as pcm:
        assert pcm.op("xrun") == -errno.EBADFD
        pcm.commit(64)
        pcm.op("start")
        assert pcm.op("xrun") == 0
        assert pcm.state() is State.XRUN


def test_free_run_replays_the_ring() -> None:
    with raw() as pcm:
        pcm.ring()[:] = np.arange(256, dtype="i2").reshape(-1, 1)
        assert pcm.software(stop_threshold=pcm.truth.boundary) == 0
        assert pcm.op("start") == 0, "without data (G4)"
        pcm.card.advance(600)
        assert pcm.pointers == (State.RUNNING, 576, 0)
        played = pcm.card.played()[:, 0]
        assert (played == np.arange(600) % 256).all()


def test_drain_stops_at_a_period_and_plays_the_stale_tail() -> None:
    with raw() as pcm:
        ring = pcm.ring()
        ring[:, 0] = np.arange(256)
        pcm.commit(100)
        assert pcm.op("start") == 0
        os.set_blocking(pcm.fd, False)
        assert pcm.op("drain") == -errno.EAGAIN, "after entering DRAINING"
        assert pcm.state() is State.DRAINING
        assert pcm.poll() == (0, 0), "while draining poll tells nothing (J4)"
        pcm.card.advance(300)
        assert pcm.pointers == (State.SETUP, 128, 100)
        assert (pcm.card.played()[:, 0] == np.arange(128)).all(), "28 stale frames were heard (J3)"
        assert pcm.poll() == (1, lib.POLLOUT | lib.POLLERR)


def test_drain_of_the_other_states() -> None:
    with raw() as pcm:
        assert pcm.op("drain") == 0
        assert pcm.state() is State.SETUP, "nothing to play"
        pcm.op("prepare")
        pcm.commit(10)
        os.set_blocking(pcm.fd, False)
        assert pcm.op("drain") == -errno.EAGAIN, "prepared with data: starts"
        pcm.card.advance(64)
        assert pcm.pointers == (State.SETUP, 64, 10)
        pcm.op("prepare")
        pcm.commit(64)
        pcm.op("start")
        pcm.card.advance(64)
        assert pcm.state() is State.XRUN
        pcm.op("drain")
        assert pcm.state() is State.SETUP


def test_blocking_drain_lets_an_auto_card_run() -> None:
    with raw(clock="auto") as pcm:
        pcm.commit(200)
        pcm.op("start")
        assert pcm.op("drain") == 0
        assert pcm.pointers == (State.SETUP, 256, 200)


def test_blocking_drain_of_a_card_that_stands_still_is_eio() -> None:
    with raw(geometry={"rate": 384_000}) as pcm:
        pcm.commit(200)
        pcm.op("start")
        assert pcm.op("drain") == -errno.EIO
        assert pcm.state() is State.SETUP


def test_capture_drain_hands_the_rest_over() -> None:
    with raw(capture=True) as pcm:
        pcm.op("start")
        pcm.card.advance(100)
        assert pcm.op("drain") == 0
        assert pcm.pointers == (State.DRAINING, 64, 0)
        assert pcm.op("hwsync") == -errno.EBADFD
        assert pcm.poll() == (1, lib.POLLIN)
        pcm.commit(64)
        assert pcm.poll() == (1, lib.POLLIN | lib.POLLERR)


def test_capture_drain_without_data_is_setup() -> None:
    with raw(capture=True) as pcm:
        pcm.op("start")
        assert pcm.op("drain") == 0
        assert pcm.state() is State.SETUP


def test_capture_overrun() -> None:
    with raw(capture=True) as pcm:
        assert pcm.op("start") == 0
        pcm.card.advance(255)
        assert pcm.pointers == (State.RUNNING, 192, 0)
        pcm.card.advance(1)
        assert pcm.pointers == (State.XRUN, 256, 0)


def test_reset() -> None:
    with raw() as pcm:
        pcm.software(stop_threshold=pcm.truth.boundary)
        pcm.commit(256)
        pcm.op("start")
        pcm.card.advance(300)
        assert pcm.op("reset") == 0
        assert pcm.pointers == (State.RUNNING, 300 % 256, 300 % 256)
        pcm.card.advance(20)
        assert pcm.truth.hw_ptr == 64
        pcm.op("pause", 1)
        assert pcm.op("reset") == 0
        assert pcm.pointers == (State.PAUSED, 0, 0)


def test_pause_and_resume_where_the_card_cannot() -> None:
    with raw(pause=False, resume=False) as pcm:
        pcm.commit(64)
        pcm.op("start")
        assert pcm.op("pause", 1) == -errno.ENOSYS
        pcm.card.suspend()
        assert pcm.state() is State.SUSPENDED
        pcm.card.resume_power()
        assert pcm.op("resume") == -errno.ENOSYS
        assert pcm.op("prepare") == 0
        assert pcm.state() is State.PREPARED


def test_suspend() -> None:
    with raw() as pcm:
        assert pcm.op("resume") == -errno.EBADFD
        pcm.commit(200)
        pcm.op("start")
        pcm.card.advance(70)
        pcm.card.suspend()
        code, now = pcm.sync()
        assert (code, now.state, now.suspended_state) == (0, State.SUSPENDED, State.RUNNING)
        for op in ("hwsync", "start", "drain"):
            assert pcm.op(op) in (-errno.ESTRPIPE, -errno.EBADFD), op
        assert pcm.op("hwsync") == -errno.ESTRPIPE
        assert pcm.poll() == (1, lib.POLLOUT | lib.POLLERR)
        assert pcm.op("resume") == -errno.EAGAIN, "no power yet"
        pcm.card.advance(100)
        pcm.card.resume_power()
        assert pcm.op("resume") == 0
        assert pcm.pointers == (State.RUNNING, 64, 200), "it goes on where it stood"
        pcm.card.advance(58)
        assert pcm.truth.hw_ptr == 128


def test_linked_streams_act_as_one() -> None:
    with card_of() as card:
        out, heard = Raw(card), Raw(card, capture=True)
        assert out.configure() == heard.configure() == 0
        out.op("prepare")
        assert out.op("link", heard.fd) == -errno.EBADFD, "not of one state"
        heard.op("prepare")
        assert out.op("link", out.fd) == -errno.EINVAL
        assert out.op("unlink") == -errno.EALREADY
        assert out.op("link", heard.fd) == 0
        assert out.op("link", heard.fd) == -errno.EALREADY
        assert heard.op("start") == -errno.EPIPE, "an empty playback refuses for all"
        assert heard.state() is State.PREPARED
        out.commit(128)
        assert heard.op("start") == 0
        assert out.state() is heard.state() is State.RUNNING
        card.advance(64)
        assert out.truth.hw_ptr == heard.truth.hw_ptr == 64
        assert out.op("pause", 1) == 0
        assert heard.state() is State.PAUSED
        assert heard.op("pause", 0) == 0
        card.advance(64)
        assert out.state() is heard.state() is State.XRUN, "one's xrun stops the group"
        assert heard.truth.xruns == 0
        assert heard.op("prepare") == 0
        assert out.pointers == (State.PREPARED, 0, 0)
        out.commit(64)
        out.op("start")
        assert heard.op("drop") == 0
        assert out.state() is State.SETUP
        assert out.op("unlink") == 0
        assert heard.op("prepare") == 0
        assert out.state() is State.SETUP
        out.close()
        heard.close()


def test_end_of_drain_stops_only_its_own_stream() -> None:
    with card_of(clock="auto") as card:
        out, heard = Raw(card), Raw(card, capture=True)
        for pcm in (out, heard):
            pcm.configure()
            pcm.op("prepare")
        out.op("link", heard.fd)
        out.commit(64)
        out.op("start")
        card.advance(30)
        heard.op("hwsync")
        assert out.op("drain") == 0
        assert (out.state(), heard.state()) == (State.SETUP, State.DRAINING)
        out.close()
        heard.close()


def test_rewind_and_forward() -> None:
    with raw() as pcm:
        pcm.commit(100)
        pcm.op("start")
        pcm.card.advance(10)
        assert pcm.op_result("rewind", 1000) == (0, 90), "hwsync first, then what can be had"
        assert pcm.pointers == (State.RUNNING, 10, 10)
        assert pcm.op_result("forward", 1000) == (0, 256)
        assert pcm.truth.appl_ptr == 266
        pcm.op("drop")
        assert pcm.op_result("rewind", 1)[0] == -errno.EBADFD


def test_no_rewinds() -> None:
    with raw(no_rewinds=True) as pcm:
        pcm.commit(100)
        pcm.op("start")
        assert pcm.op_result("rewind", 10) == (0, 0)
        assert pcm.sync(lib.ALSAMM_SYNC_GET_AVAIL_MIN, 99)[0] == -errno.EINVAL
        assert pcm.sync(lib.ALSAMM_SYNC_GET_AVAIL_MIN, 100 + 257)[0] == -errno.EINVAL
        assert pcm.sync(lib.ALSAMM_SYNC_GET_AVAIL_MIN, 100 + 256)[0] == 0


def test_silence_is_topped_up_over_uncommitted_data() -> None:
    with raw() as pcm:
        ring = pcm.ring()
        ring[:] = 1000
        assert pcm.software(silence_threshold=64, silence_size=64) == 0
        pcm.commit(32)
        pcm.op("start")
        assert (ring[:32] == 1000).all()
        assert (ring[32:64] == 0).all(), "START filled up to the threshold, over what was not committed (J2)"
        assert (ring[64:] == 1000).all()
        assert pcm.software(silence_threshold=10, silence_size=11) == -errno.EINVAL
        assert pcm.software(silence_threshold=257, silence_size=11) == -errno.EINVAL
        assert pcm.software(silence_threshold=1, silence_size=pcm.truth.boundary) == -errno.EINVAL
        assert pcm.software(avail_min=0) == -errno.EINVAL


def test_free_running_silence_clears_what_was_played() -> None:
    with raw() as pcm:
        ring = pcm.ring()
        ring[:] = 1000
        pcm.software(silence_threshold=0, silence_size=pcm.truth.boundary, stop_threshold=pcm.truth.boundary)
        pcm.commit(100)
        pcm.op("start")
        assert (ring[:100] == 1000).all()
        assert (ring[100:] == 0).all()
        pcm.card.advance(64)
        assert (ring[:64] == 0).all()
        assert (ring[64:100] == 1000).all()


@pytest.mark.parametrize("capture", [False, True])
def test_hw_params_zeroes_the_ring(capture: bool) -> None:
    with raw(capture=capture) as pcm:
        pcm.ring()[:] = 7
        pcm.unmap()
        assert pcm.configure() == 0
        assert (pcm.ring() == 0).all()
