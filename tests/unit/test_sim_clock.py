"""The software card's time: when pointers move, and when they only moved in the hardware (rules H1-H6)."""

from __future__ import annotations

import errno
import threading
import time

import numpy as np
import pytest

from alsamm import errors
from alsamm._c import lib
from alsamm.enums import Access, State
from alsamm.sim import Card
from tests.unit.simkit import Raw, raw

FRESH = lib.ALSAMM_QUERY | lib.ALSAMM_SYNC_HWSYNC


def test_the_page_is_stale_until_somebody_asks() -> None:
    with raw() as pcm:
        pcm.commit(256)
        pcm.op("start")
        pcm.card.advance(63)
        assert (pcm.truth.hw_ptr, pcm.truth.position, pcm.truth.interrupts) == (0, 63, 0)
        assert pcm.sync()[1].hw_ptr == 0
        assert pcm.poll() == (0, 0)
        assert pcm.truth.hw_ptr == 0
        assert pcm.op("hwsync") == 0
        assert pcm.truth.hw_ptr == 63
        pcm.card.advance(1)
        assert (pcm.truth.hw_ptr, pcm.truth.interrupts) == (64, 1)
        pcm.card.advance(30)
        assert pcm.delay() == (0, 256 - 94)
        assert pcm.truth.hw_ptr == 94
        pcm.card.advance(2)
        assert pcm.status().hw_ptr == 96
        assert pcm.card.frames_to_interrupt == 32


@pytest.mark.parametrize(("granularity", "seen"), [(1, 63), (16, 48), ("period", 0)])
def test_granularity(granularity: int, seen: int) -> None:
    with raw(granularity=granularity, batch=True) as pcm:
        pcm.commit(256)
        pcm.op("start")
        pcm.card.advance(63)
        assert pcm.sync(FRESH)[1].hw_ptr == seen
        assert pcm.truth.position == 63
        pcm.card.advance(1)
        assert pcm.truth.hw_ptr == 64


def test_advance_periods() -> None:
    with raw() as pcm:
        pcm.software(stop_threshold=pcm.truth.boundary)
        pcm.card.advance_periods(3)
        assert pcm.truth.position == 0, "nothing runs"
        pcm.op("start")
        pcm.card.advance(10)
        pcm.card.advance_periods(3)
        assert (pcm.truth.hw_ptr, pcm.truth.interrupts) == (192, 3)


def test_lost_interrupts_and_lost_turns() -> None:
    with raw() as pcm:
        pcm.software(stop_threshold=pcm.truth.boundary)
        pcm.op("start")
        pcm.card.late(2)
        pcm.card.advance(128)
        assert (pcm.truth.hw_ptr, pcm.truth.interrupts) == (0, 0)
        pcm.card.advance(64)
        assert (pcm.truth.hw_ptr, pcm.truth.interrupts) == (192, 1)
        pcm.card.late(100)
        pcm.card.advance(256 + 10)
        assert pcm.op("hwsync") == 0
        assert pcm.truth.hw_ptr == 202, "a whole turn is lost to a position register (H4)"
        assert pcm.truth.frames_moved == 458


def test_without_interrupts_the_kernel_repairs_lost_turns() -> None:
    with raw(no_period_wakeup=True, geometry={"no_period_wakeup": True}) as pcm:
        pcm.software(stop_threshold=pcm.truth.boundary)
        pcm.op("start")
        pcm.card.advance(5 * 256 + 10)
        assert (pcm.truth.hw_ptr, pcm.truth.interrupts) == (0, 0)
        assert pcm.card.frames_to_interrupt is None
        pcm.op("hwsync")
        assert pcm.truth.hw_ptr == 5 * 256 + 10


def test_the_flag_is_ignored_where_the_card_cannot() -> None:
    with raw(geometry={"no_period_wakeup": True}) as pcm:
        pcm.commit(256)
        pcm.op("start")
        pcm.card.advance(64)
        assert pcm.truth.interrupts == 1


def test_frozen() -> None:
    with raw() as pcm:
        pcm.commit(256)
        pcm.op("start")
        pcm.card.freeze()
        pcm.card.advance(100)
        assert pcm.truth.position == 0
        pcm.card.freeze(False)
        pcm.card.advance(100)
        assert pcm.truth.position == 100


def test_a_bad_position_is_taken_for_zero() -> None:
    with raw() as pcm:
        pcm.software(stop_threshold=pcm.truth.boundary)
        pcm.op("start")
        pcm.card.advance(70)
        pcm.card.bad_position()
        pcm.op("hwsync")
        assert pcm.truth.hw_ptr == 256, "0 is before 64, so the ring must have turned"


def test_two_rates_and_period_sizes_at_once() -> None:
    with Card("two") as card:
        out, heard = Raw(card), Raw(card, capture=True)
        out.configure(period=100, buffer=400)
        heard.configure(period=64, buffer=256)
        for pcm in (out, heard):
            pcm.op("prepare")
            pcm.software(stop_threshold=pcm.truth.boundary)
            pcm.op("start")
        card.advance(1000)
        assert (out.truth.hw_ptr, out.truth.interrupts) == (1000, 10)
        assert (heard.truth.hw_ptr, heard.truth.interrupts) == (960, 15)
        out.close()
        heard.close()


# ---- realtime ----


def until(true: object, seconds: float = 5.0) -> None:
    assert callable(true)
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.002)


def test_realtime_thread_moves_the_page_by_itself() -> None:
    with raw(clock="realtime", geometry={"period": 240, "buffer": 4800}) as pcm:
        pcm.software(stop_threshold=pcm.truth.boundary)
        pcm.op("start")
        began = time.monotonic()
        code, status = pcm.map_page(lib.ALSAMM_STATUS_PAGE)
        assert code == 0
        time.sleep(0.3)
        page_hw_ptr = pcm.hw_ptr_of_page(status)
        took = time.monotonic() - began
        assert page_hw_ptr % 240 == 0, "only interrupts moved it"
        assert 0.28 * 48_000 - 480 <= page_hw_ptr <= took * 48_000
        pcm.op("pause", 1)
        stood = pcm.truth.position
        time.sleep(0.02)
        assert pcm.truth.position == stood
        pcm.op("pause", 0)
        until(lambda: pcm.truth.position > stood + 240)


def test_realtime_wakes_poll() -> None:
    with raw(clock="realtime", geometry={"period": 480, "buffer": 48_000}) as pcm:
        pcm.commit(48_000)
        began = time.monotonic()
        pcm.op("start")
        assert pcm.poll(5000) == (1, lib.POLLOUT)
        assert time.monotonic() - began >= 0.0099


def test_realtime_underrun_comes_at_the_exact_frame() -> None:
    with raw(clock="realtime", speed=20.0) as pcm:
        pcm.commit(200)
        pcm.op("start")
        until(lambda: pcm.state() is State.XRUN)
        assert pcm.truth.hw_ptr in range(200, 257)
        assert pcm.truth.frames_moved == pcm.truth.hw_ptr


def test_speed_and_drift() -> None:
    with raw(clock="realtime", speed=2.0, ppm=500.0) as pcm:
        pcm.software(stop_threshold=pcm.truth.boundary)
        pcm.op("start")
        began = time.monotonic_ns(), pcm.truth.position
        time.sleep(0.2)
        pcm.op("hwsync")
        moved = pcm.truth.frames_moved - began[1]
        expected = (time.monotonic_ns() - began[0]) * 48_000 * 2.001 / 1e9
        assert abs(moved - expected) < 0.02 * expected + 100
        pcm.card.freeze()
        stood = pcm.truth.position
        time.sleep(0.01)
        assert pcm.truth.position == stood
        pcm.card.set_speed(100.0)
        pcm.card.freeze(False)
        until(lambda: pcm.truth.position > stood + 4800)


def test_realtime_beside_a_thread_that_holds_the_gil() -> None:
    """The card runs while Python does not: interrupts come on time to the page although nobody lets go of the GIL."""
    with raw(clock="realtime", geometry={"period": 48, "buffer": 4800}) as pcm:
        pcm.software(stop_threshold=pcm.truth.boundary)
        pcm.op("start")
        before = pcm.truth.interrupts
        sum(range(6_000_000))  # one bytecode: the GIL is not given up
        assert pcm.truth.interrupts > before + 10


def test_advance_is_not_for_realtime_cards() -> None:
    with raw(clock="realtime") as pcm, pytest.raises(errors.ArgumentError):
        pcm.card.advance(1)


def test_blocking_transfers_of_an_auto_card() -> None:
    samples = np.arange(1000, dtype="i2")
    geometry = {"access": Access.RW_INTERLEAVED}
    with raw(clock="auto", geometry=geometry) as pcm:
        pcm.software(start_threshold=128)
        assert pcm.transfer(samples[:100]) == (0, 100)
        assert pcm.state() is State.PREPARED
        assert pcm.transfer(samples[100:]) == (0, 900), (
            "started at its start_threshold, and slept until all was written"
        )
        assert pcm.op("drain") == 0
        assert (pcm.card.played()[:1000, 0] == samples).all()
        assert pcm.transfer(samples) == (-errno.EBADFD, -errno.EBADFD)
    with raw(capture=True, clock="auto", geometry=geometry) as pcm:
        pcm.card.feed(samples)
        heard = np.zeros(1010, "i2")
        assert pcm.transfer(heard) == (0, 1010), "a read of start_threshold frames starts (G6)"
        assert (heard[:1000] == samples).all()
        assert (heard[1000:] == 0).all()
    with raw() as pcm:
        pcm.configure(channels=2)
        pcm.op("prepare")
        assert pcm.transfer(samples) == (-errno.EINVAL, -errno.EINVAL), "MMAP access (G7)"


def test_a_sleeping_client_does_not_hold_the_card() -> None:
    with raw() as pcm:
        pcm.commit(256)
        pcm.op("start")
        thread = threading.Thread(target=pcm.op, args=("drain",))
        thread.start()
        until(lambda: pcm.state() is State.DRAINING)
        pcm.card.advance(256)
        thread.join(5)
        assert not thread.is_alive()
        assert pcm.state() is State.SETUP
