"""The software card's own CLOCK_MONOTONIC: what its timestamps say when its time is simulated."""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest

from alsamm._c import lib
from alsamm.enums import ClockType, State
from alsamm.errors import ClosedError
from alsamm.sim import Card
from tests.unit.simkit import Raw, raw

SECOND = 1_000_000_000
MS = 1_000_000
FRESH = lib.ALSAMM_QUERY | lib.ALSAMM_SYNC_HWSYNC


def run_free(pcm: Raw, **software: int) -> None:
    """Start without xruns, with timestamps of CLOCK_MONOTONIC."""
    stamped = {"tstamp_mode": 1, "tstamp_type": int(ClockType.MONOTONIC), "stop_threshold": pcm.truth.boundary}
    assert pcm.software(**stamped | software) == 0
    assert pcm.op("start") == 0


@contextmanager
def both(rates: tuple[int, int], **options: Any) -> Generator[tuple[Card, Raw, Raw]]:
    """A card whose two streams run, with periods of 10 ms."""
    with Card("both", **options) as card:
        pair = Raw(card), Raw(card, capture=True)
        for pcm, rate in zip(pair, rates, strict=True):
            assert pcm.configure(rate=rate, period=rate // 100, buffer=rate // 25) == 0
            assert pcm.op("prepare") == 0
        yield card, *pair
        for pcm in pair:
            pcm.close()


@pytest.mark.parametrize("rate", [44_100, 48_000])
@pytest.mark.parametrize("ppm", [0.0, 50.0, -50.0, 300.0])
def test_a_second_of_the_timestamps_has_the_frames_of_the_crystal(ppm: float, rate: int) -> None:
    with raw(ppm=ppm, geometry={"rate": rate}) as pcm:
        run_free(pcm)
        began = pcm.card.time_ns
        for frames in (1, 63, 6400, 100, rate * 60):
            pcm.card.advance(frames)
            assert pcm.sync(FRESH)[1].tstamp_ns == pcm.card.time_ns
            expected = pcm.truth.frames_moved * SECOND / (rate * (1 + ppm * 1e-6))
            assert abs(pcm.card.time_ns - began - expected) <= 1


def test_no_rounding_adds_up() -> None:
    took = []
    for step in (7, 140_000):
        with raw(ppm=33.0, geometry={"rate": 44_100}) as pcm:
            run_free(pcm)
            began = pcm.card.time_ns
            for _ in range(140_000 // step):
                pcm.card.advance(step)
            took.append(pcm.card.time_ns - began)
    assert took[0] == took[1]
    assert abs(took[0] - 140_000 * SECOND / (44_100 * 1.000033)) <= 1


def test_a_day_is_exact() -> None:
    with raw(ppm=50.0, record=False, geometry={"period": 32_000, "buffer": 128_000}) as pcm:
        run_free(pcm)
        began = pcm.card.time_ns
        frames = 48_000 * 86_400 // 100
        for _ in range(100):
            pcm.card.advance(frames)
        assert pcm.card.time_ns - began == pytest.approx(frames * 100 * SECOND / (48_000 * 1.00005), abs=2, rel=0)


def test_time_begins_with_the_machines_and_stands_unless_the_card_moves() -> None:
    before = time.monotonic_ns()
    with raw() as pcm:
        began = pcm.card.time_ns
        assert before <= began <= time.monotonic_ns()
        time.sleep(0.005)
        assert pcm.card.time_ns == began
        pcm.card.advance(480)
        assert pcm.card.time_ns == began + 10 * MS, "time passes although nothing runs"
        run_free(pcm)
        assert pcm.status().trigger_tstamp_ns == began + 10 * MS
        pcm.card.advance(48)
        assert pcm.status().tstamp_ns == began + 11 * MS
    with Card("idle") as card:
        began = card.time_ns
        card.advance(100)
        assert card.time_ns == began, "without a rate a frame has no length"


def test_frozen_and_suspended_hardware_stands_still_in_time_that_passes() -> None:
    with raw() as pcm:
        run_free(pcm)
        pcm.card.advance(48)
        began = pcm.card.time_ns
        pcm.card.freeze()
        pcm.card.advance(480)
        assert (pcm.truth.position, pcm.card.time_ns) == (48, began + 10 * MS)
        pcm.card.freeze(False)
        pcm.card.advance(48)
        assert (pcm.truth.position, pcm.card.time_ns) == (96, began + 11 * MS)
        pcm.card.suspend()
        assert pcm.state() is State.SUSPENDED
        pcm.card.advance(480)
        pcm.card.resume_power()
        assert pcm.op("resume") == 0
        assert pcm.status().trigger_tstamp_ns == began + 21 * MS
        pcm.card.advance(48)
        assert (pcm.truth.position, pcm.card.time_ns) == (144, began + 22 * MS)


def test_the_speed_can_change_on_the_way() -> None:
    with raw(speed=2.0) as pcm:
        run_free(pcm)
        began = pcm.card.time_ns
        pcm.card.advance(480)
        assert pcm.card.time_ns == began + 5 * MS
        pcm.card.set_speed(0.5)
        pcm.card.advance(480)
        assert pcm.card.time_ns == began + 25 * MS


@pytest.mark.parametrize("kind", [ClockType.REALTIME, ClockType.MONOTONIC_RAW])
def test_other_clocks_are_as_far_ahead_as_the_machines(kind: ClockType) -> None:
    clocks = {ClockType.REALTIME: time.CLOCK_REALTIME, ClockType.MONOTONIC_RAW: time.CLOCK_MONOTONIC_RAW}
    ahead = time.clock_gettime_ns(clocks[kind]) - time.monotonic_ns()
    with raw() as pcm:
        run_free(pcm, tstamp_type=int(kind))
        pcm.card.advance(48_000)
        assert pcm.sync(FRESH)[1].tstamp_ns - pcm.card.time_ns == pytest.approx(ahead, abs=50 * MS, rel=0)


def test_streams_of_different_rates_share_their_time() -> None:
    with both((44_100, 48_000), ppm=100.0) as (card, out, heard):
        for pcm in (out, heard):
            run_free(pcm)
        began = card.time_ns
        for _ in range(1000):
            card.advance(77)
            seconds = (card.time_ns - began) / SECOND * 1.0001
            assert heard.truth.frames_moved == round(seconds * 48_000)
            assert -1e-3 <= seconds * 44_100 - out.truth.frames_moved < 1 + 1e-3
        assert out.truth.interrupts == out.truth.frames_moved // 441
        assert heard.truth.interrupts == heard.truth.frames_moved // 480


def test_interrupts_of_different_rates_come_in_the_order_of_their_time() -> None:
    with both((44_100, 48_000)) as (card, out, heard):
        assert out.configure(rate=44_100, period=200, buffer=800) == 0
        assert out.op("prepare") == 0
        for pcm in (out, heard):
            run_free(pcm)
        assert card.frames_to_interrupt == 218, "the first frame of 48 kHz that is not before the 200th of 44.1 kHz"
        card.advance(217)
        assert (out.truth.frames_moved, out.truth.interrupts) == (199, 0)
        card.advance(1)
        assert (out.truth.frames_moved, out.truth.interrupts) == (200, 1)
        assert card.frames_to_interrupt == 436 - 218
        card.advance_periods(1)
        assert (out.truth.interrupts, heard.truth.interrupts) == (2, 0)
        card.advance_periods(1)
        assert (out.truth.interrupts, heard.truth.interrupts) == (2, 1)


def test_a_fast_stream_that_stops_leaves_time_to_the_slow_one() -> None:
    with both((44_100, 48_000)) as (card, out, heard):
        for pcm in (out, heard):
            run_free(pcm)
        began = card.time_ns
        card.advance(48_000)
        assert heard.op("drop") == 0
        card.advance(44_100)
        assert card.time_ns - began == 2 * SECOND
        assert out.truth.frames_moved == 88_200
        assert heard.truth.frames_moved == 48_000


def test_an_auto_card_sleeps_in_its_own_time() -> None:
    with raw(clock="auto", speed=2.0, geometry={"period": 480, "buffer": 1920}) as pcm:
        run_free(pcm, avail_min=1920 * 4)
        began = pcm.card.time_ns
        assert pcm.poll(37) == (0, 0)
        assert pcm.card.time_ns - began == 37 * MS
        assert pcm.truth.frames_moved == 37 * 96


def test_realtime_cards_have_the_machines_time() -> None:
    with raw(clock="realtime", speed=50.0) as pcm:
        before = time.monotonic_ns()
        assert before <= pcm.card.time_ns <= time.monotonic_ns()
        run_free(pcm)
        assert before <= pcm.status().trigger_tstamp_ns <= time.monotonic_ns()


def test_a_forked_child_has_no_time() -> None:
    with Card("forked") as card:
        child = os.fork()
        if child == 0:
            try:
                _ = card.time_ns
            except ClosedError:
                os._exit(0)
            os._exit(1)
        assert os.waitpid(child, 0)[1] == 0
    assert card.time_ns > 0, "as it was when it was closed"
