"""What an independent reading of the streams found; each failed, hung or lied before."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Generator, Iterator
from typing import Any

import numpy as np
import pytest

import alsamm
from alsamm import sim
from alsamm.enums import Access

_names = itertools.count()
RW = [Access.RW_INTERLEAVED]


@contextlib.contextmanager
def a_card(clock: Any = "auto", **options: Any) -> Generator[sim.Card]:
    with sim.Card(f"found{next(_names)}", clock=clock, **options) as card:
        yield card


def heard(frames: int, first: int = 1) -> Any:
    return np.arange(first, first + frames, dtype="i2")[:, None]


@contextlib.contextmanager
def a_mic_that_kept_some(**wishes: Any) -> Generator[alsamm.CaptureStream]:
    """Of a read that ran out of time."""
    with a_card(clock="realtime") as card, alsamm.capture(card.device, channels=1, **wishes) as mic:
        card.feed(heard(20_000))
        with pytest.raises(TimeoutError):
            mic.read(48_000, timeout=0.15)
        yield mic


def test_the_number_of_the_next_frame_is_that_of_the_first_kept() -> None:
    with a_mic_that_kept_some() as mic:
        assert mic.frame == 0
        assert mic.read(10)[:, 0].tolist() == list(range(1, 11))
        assert mic.frame == 10


def test_a_buffer_is_filled_with_what_was_kept() -> None:
    with a_mic_that_kept_some() as mic:
        raw = bytearray(200)
        assert mic.read(out=raw) is raw
        assert np.frombuffer(raw, "i2").tolist() == list(range(1, 101))
        flat = np.zeros(50, "i2")
        assert len(mic.read_available(flat)) == 50
        assert flat.tolist() == list(range(101, 151))


@pytest.mark.parametrize("out", [np.zeros((10, 1), "f4"), np.zeros((10, 1), "i1"), np.zeros((10, 3), "i2")])
def test_an_array_that_does_not_fit_is_refused_beside_kept_frames_too(out: Any) -> None:
    with a_mic_that_kept_some() as mic:
        with pytest.raises((alsamm.ArgumentError, alsamm.ArgumentTypeError)):
            mic.read(out=out)
        assert mic.read(1)[0, 0] == 1


def test_what_was_kept_outlives_an_overrun_that_is_raised() -> None:
    with a_mic_that_kept_some(on_xrun="raise") as mic:
        time.sleep(0.3)
        with pytest.raises(alsamm.Overrun):
            mic.read_available(np.zeros((9000, 1), "i2"))
        mic.recover()
        assert mic.read(1)[0, 0] == 1


@pytest.mark.parametrize("accesses", [RW, [Access.MMAP_INTERLEAVED]], ids=["calls", "ring"])
def test_read_available_recovers_by_either_road(accesses: Any) -> None:
    with a_card(accesses=accesses) as card, alsamm.capture(card.device) as mic:
        mic.read(100)
        card.xrun("capture")
        mic.read_available()
        assert mic.stats.xruns == 1


@pytest.mark.parametrize("dtype", ["i2", "f4"])
def test_a_period_that_is_left_by_break_is_read_next(dtype: str) -> None:
    with a_card(formats=["S16_LE"]) as card, alsamm.capture(card.device, channels=1, dtype=dtype) as mic:
        card.feed(heard(20_000))
        periods = mic.periods()
        first = float(next(periods)[0, 0])
        periods.close()
        assert float(mic.read(1)[0, 0]) == first


def test_blocks_that_come_one_by_one_count_together() -> None:
    def blocks() -> Iterator[Any]:
        while True:
            yield np.zeros((1000, 2), "i2")

    with a_card(clock="realtime") as card, alsamm.playback(card.device) as out:
        with pytest.raises(TimeoutError):
            out.write(blocks(), timeout=0.2)
        assert out.frames_done == out.stats.frames > 4800
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            out.write(itertools.repeat(np.zeros((0, 2), "i2")), timeout=0.1)
        assert time.monotonic() - began < 2


def test_what_a_drop_loses_is_counted() -> None:
    with a_card() as card, alsamm.playback(card.device) as out:
        out.write(np.zeros((6000, 2), "i2"))
        played = out.time().frame
        out.drop()
        stats = out.stats
        assert (stats.frames, stats.queued, stats.lost) == (6000, 0, 6000 - played)


def test_silence_of_ours_is_not_queued_for_you() -> None:
    with a_card() as card:
        with alsamm.playback(card.device) as out:
            out.write(np.zeros((4800, 2), "i2"))
            card.advance(10_000)
            out.write(np.zeros((100, 2), "i2"))
            assert out.stats.queued <= 100
        with alsamm.duplex(card.device) as io:
            io.start()
            assert io.playback.stats.queued == 0


def test_a_write_within_a_turn_is_refused_and_the_block_with_it() -> None:
    with a_card() as card, alsamm.playback(card.device, channels=1, period_size=480) as out:
        periods = out.periods()
        next(periods)[...] = 5
        out.write(np.ones(480, "i2"))
        with pytest.raises(alsamm.StateError, match="while the block was out"):
            next(periods)


def test_the_clock_begins_anew_after_a_pause() -> None:
    with a_card() as card, alsamm.playback(card.device) as out:
        for _ in range(50):
            out.write(np.zeros((1200, 2), "i2"))
            out.time()
        out.pause()
        time.sleep(0.05)
        card.advance(48_000)
        out.pause(False)
        for _ in range(50):
            out.write(np.zeros((1200, 2), "i2"))
            out.time()
        assert abs(out.clock.ppm) < 0.01, "not the second that stood still"


def test_a_card_that_only_stops_is_not_waited_for_for_ever() -> None:
    with a_card(clock="realtime") as card, alsamm.capture(card.device, period_size=9600, buffer_size=19_200) as mic:
        stop = threading.Event()

        def trouble() -> None:
            while not stop.wait(0.02):
                with contextlib.suppress(alsamm.StateError):
                    card.xrun("capture")

        thread = threading.Thread(target=trouble)
        thread.start()
        try:
            began = time.monotonic()
            for call in (mic.read, lambda: mic.wait(0.3), lambda: next(mic.periods())):
                with pytest.raises((TimeoutError, alsamm.XrunError)):
                    call()
            assert time.monotonic() - began < 12
        finally:
            stop.set()
            thread.join()


@pytest.mark.parametrize("side", [0, 1])
def test_one_of_two_cards_that_slept(side: int) -> None:
    with a_card(clock="realtime") as out, a_card(clock="realtime") as mic, alsamm.duplex(out.device, mic.device) as io:
        for _, played in io.periods(3):
            played[...] = 0
        asleep = (out, mic)[side]
        asleep.suspend()
        asleep.resume_power()
        for _, played in io.periods(6):
            played[...] = 0
        assert (io.playback.stats.suspends, io.capture.stats.suspends) == (1, 1)
        for stream in (io.playback, io.capture):
            assert 0 < stream.interruptions[0].gap_ns < 1e9


@pytest.mark.alone
@pytest.mark.parametrize("accesses", [RW, [Access.MMAP_INTERLEAVED]], ids=["calls", "ring"])
def test_a_pair_by_either_road_begins_anew_with_both(accesses: Any) -> None:
    with a_card(clock="realtime", accesses=accesses) as card, alsamm.duplex(card.device, link=False) as io:
        for _, played in io.periods(3):
            played[...] = 0
        before = io.offset
        card.xrun("playback")
        for _, played in io.periods(6):
            played[...] = 0
        assert io.playback.stats.xruns == 1
        assert abs(io.offset - before) < io.period_size // 4


def test_an_unplugged_pair_closes() -> None:
    with a_card() as card:
        io = alsamm.duplex(card.device)
        io.start()
        card.unplug()
        io.close()
        assert io.playback.closed
        assert io.capture.closed


def test_a_pair_of_which_one_is_closed_leaves_the_other_whole() -> None:
    with a_card() as card, alsamm.duplex(card.device) as io:
        for _, played in io.periods(3):
            played[...] = 0
        io.capture.close()  # which stops both, for they are linked
        io.playback.prepare()
        io.playback.write(np.zeros((100, 2), "i2"))


def test_a_dropped_pair_can_be_prepared() -> None:
    with a_card() as card, alsamm.duplex(card.device) as io:
        for _ in range(2):
            for _, played in io.periods(3):
                played[...] = 0
            io.drop()
            io.prepare()


def test_more_silence_than_there_is_room_for() -> None:
    with a_card() as card, alsamm.playback(card.device) as out, pytest.raises(alsamm.ArgumentError, match="room"):
        out.commit_silence(10**6)


def test_close_beside_a_thread_that_copies() -> None:
    """Never a crash: it is left blank memory, and finds its stream closed."""
    block = np.zeros((4_000_000, 2), "i2")
    for _ in range(20):
        with a_card(buffer_bytes=(32, 1 << 24)) as card:
            out = alsamm.playback(card.device, period_size=1 << 18, buffer_size=1 << 20)
            ended: list[BaseException] = []

            def write(out: alsamm.PlaybackStream = out, ended: list[BaseException] = ended) -> None:
                try:
                    while True:
                        out.write(block)
                except (alsamm.AlsaError, TimeoutError) as error:
                    ended.append(error)

            thread = threading.Thread(target=write)
            thread.start()
            time.sleep(0.002)
            out.close()
            thread.join()
            assert isinstance(ended[0], alsamm.ClosedError), ended
