"""Streams on cards that are as no real one can be asked to be; what any device does is in tests/contract."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

import alsamm
from alsamm import sim
from alsamm.enums import State

_names = itertools.count()


@contextmanager
def a_card(clock: Any = "auto", **options: Any) -> Generator[sim.Card]:
    with sim.Card(f"streams{next(_names)}", clock=clock, **options) as card:
        yield card


# ---- what is asked for ----


@pytest.mark.parametrize(
    ("wishes", "sizes"),
    [
        ({}, (1200, 4800)),
        ({"latency": "low"}, (120, 480)),
        ({"latency": "high"}, (1200, 4800)),
        ({"latency": 0.02}, (240, 960)),
        ({"period_size": 64}, (64, 256)),
        ({"period_size": 64, "buffer_size": 128}, (64, 128)),
        ({"buffer_size": 1000}, (250, 1000)),
        ({"period_size": 100, "latency": 0.01}, (100, 500)),
    ],
)
def test_sizes(wishes: dict[str, Any], sizes: tuple[int, int]) -> None:
    with a_card() as card, alsamm.playback(card.device, **wishes) as out:
        assert (out.period_size, out.buffer_size) == sizes


@pytest.mark.parametrize(
    ("dtype", "there", "chosen"),
    [
        ("i2", ["S16_LE", "S32_LE"], "S16_LE"),
        ("i2", ["S24_3LE", "S32_LE"], "S24_3LE"),
        ("i2", ["U8", "S8"], "S8"),
        ("i4", ["S16_LE", "S24_LE"], "S24_LE"),
        ("f4", ["S16_LE", "S32_LE", "FLOAT_LE"], "FLOAT_LE"),
        ("f4", ["S16_LE", "S24_3LE", "S32_LE"], "S24_3LE"),
        ("f4", ["S16_LE"], "S16_LE"),
        ("f8", ["S16_LE", "S32_LE", "FLOAT_LE"], "S32_LE"),
    ],
)
def test_the_card_is_set_to_what_holds_the_dtype_best(dtype: str, there: list[str], chosen: str) -> None:
    with a_card(formats=there) as card, alsamm.playback(card.device, dtype=dtype) as out:
        assert (out.format.name, out.dtype) == (chosen, np.dtype(dtype))


def test_nothing_is_lost_where_int16_goes_through_a_wider_card() -> None:
    every = np.arange(-32_768, 32_768, dtype="i2")
    with a_card(formats=["S24_3LE"], loop=True) as card, alsamm.duplex(card.device, channels=1) as io:
        np.testing.assert_array_equal(io.exchange(every)[:, 0], every)


def test_a_format_alone_means_the_cards_own_samples() -> None:
    with a_card() as card, alsamm.playback(card.device, format="U8", channels=1) as out:
        assert out.dtype == np.dtype("u1")
        out.write(np.full(100, 7, "u1"))


def test_refusals_say_what_could_be_had() -> None:
    with a_card(rates=[44_100, 96_000], channels=2) as card:
        with pytest.raises(alsamm.ParameterError, match="44100"):
            alsamm.playback(card.device)
        with pytest.raises(alsamm.ParameterError, match="channels 1 cannot be had; the card does 2"):
            alsamm.playback(card.device, rate=44_100, channels=1)
        with pytest.raises(alsamm.ParameterError, match="S16_LE"):
            alsamm.playback(card.device, rate=44_100, format="MU_LAW")
        with alsamm.playback(card.device, channels=1, nearest=True) as out:
            assert (out.rate, out.channels) == (44_100, 2)
            assert "44100" in repr(out)
    with a_card(period_bytes=(256, 4096)) as card, pytest.raises(alsamm.ParameterError, match="period_size"):
        alsamm.playback(card.device, period_size=3)


def test_names_that_are_not_there() -> None:
    names = ["hw:CARD=nosuch", "nosuch", "sim:nosuch"] + ([] if alsamm.cards() else ["default", "hw:0"])
    for name in names:
        for kind in (alsamm.playback, alsamm.capture, alsamm.duplex):
            began = time.monotonic()
            with pytest.raises(alsamm.DeviceNotFoundError) as caught:
                kind(name)
            assert time.monotonic() - began < 5
            assert len(str(caught.value)) > len(name) + 10
    with pytest.raises(alsamm.ArgumentError):
        alsamm.playback("")


def test_a_busy_device_is_not_waited_for() -> None:
    with a_card() as card, alsamm.playback(card.device), pytest.raises(alsamm.DeviceBusyError):
        alsamm.playback(card.device)


# ---- interruptions ----


@pytest.mark.parametrize("resume", [True, False])
def test_a_suspend_is_recovered_from(resume: bool) -> None:
    with a_card(resume=resume) as card, alsamm.playback(card.device, channels=1) as out:
        out.write(np.ones(6000, "i2"))
        card.suspend()
        card.resume_power()
        out.write(np.full(6000, 2, "i2"))
        stats = out.stats
        (what,) = out.interruptions
        assert (what.kind, stats.suspends, stats.xruns) == ("suspend", 1, 0)
        assert (what.lost == 0) == resume
        assert stats.lost == what.lost
        out.drain()
        tape = card.played()[:, 0]
        assert ((tape == 1).sum(), (tape == 2).sum()) == (6000 - what.lost, 6000)


def test_a_system_that_stays_asleep_ends_a_write_in_time() -> None:
    with a_card() as card, alsamm.playback(card.device) as out:
        out.write(np.zeros((6000, 2), "i2"))
        card.suspend()
        for call in (lambda: out.write(np.zeros((9000, 2), "i2"), timeout=0.2), out.wait):
            began = time.monotonic()
            with pytest.raises((TimeoutError, alsamm.SuspendedError)):
                call()
            assert time.monotonic() - began < 3
        card.resume_power()
        out.write(np.zeros((100, 2), "i2"))


def test_who_is_told_may_end_it() -> None:
    class EnoughError(Exception):
        pass

    def enough(_: alsamm.Interruption) -> None:
        raise EnoughError

    with a_card() as card, alsamm.playback(card.device, on_xrun=enough) as out:
        out.write(np.zeros((6000, 2), "i2"))
        card.xrun()
        with pytest.raises(EnoughError):
            out.write(np.zeros((6000, 2), "i2"))
        done = out.frames_done
        assert out.stats.xruns == 1
        assert out.stats.frames == 6000 + done
        out.write(np.zeros((6000 - done, 2), "i2"))


def test_an_underrun_is_heard_as_silence_and_nothing_twice() -> None:
    with a_card() as card, alsamm.playback(card.device, channels=1, period_size=64) as out:
        out.write(np.arange(1, 301, dtype="i2"))
        card.advance(1000)
        out.write(np.arange(301, 601, dtype="i2"))
        out.drain()
        tape = card.played()[:, 0]
        np.testing.assert_array_equal(tape[tape != 0], np.arange(1, 601))


def test_unplugged_while_it_waits() -> None:
    """In another thread than the one that is asleep."""
    with a_card(clock="realtime") as card:
        out = alsamm.playback(card.device)
        mic = alsamm.capture(card.device)
        pull = threading.Timer(0.3, card.unplug)
        pull.start()
        began = time.monotonic()
        with pytest.raises(alsamm.DeviceLostError):
            out.write(np.zeros((10 * 48_000, 2), "i2"))
        with pytest.raises(alsamm.DeviceLostError):
            mic.read(10 * 48_000)
        assert time.monotonic() - began < 2
        pull.join()
        out.close()
        mic.close()


# ---- time ----


def test_positions_and_stats_from_other_threads() -> None:
    """They are for any thread; writing is not."""
    errors: list[BaseException] = []
    with (
        a_card(clock="realtime", boundary=4 * 512) as card,
        alsamm.playback(card.device, period_size=128, buffer_size=512) as out,
    ):
        out.write(np.zeros((512, 2), "i2"))
        stop = threading.Event()

        def look() -> None:
            last = 0
            try:
                while not stop.is_set():
                    place = out.ring.position()
                    assert last <= place.frame <= out.frame + 512
                    last = place.frame
                    assert out.stats.xruns >= 0
                    out.time()
            except BaseException as error:  # noqa: BLE001 -- told below
                errors.append(error)

        threads = [threading.Thread(target=look) for _ in range(3)]
        for thread in threads:
            thread.start()
        for _ in range(100):
            out.write(np.zeros((128, 2), "i2"))
        stop.set()
        for thread in threads:
            thread.join()
    assert errors == []


def test_frames_are_counted_over_every_new_beginning() -> None:
    with a_card(boundary=4 * 512) as card, alsamm.playback(card.device, period_size=128, buffer_size=512) as out:
        numbers = []
        for turn in range(20):
            out.write(np.zeros((700, 2), "i2"))
            numbers.append(out.frame)
            if turn % 3 == 0:
                out.drain()
                out.prepare()
            if turn % 5 == 0:
                assert isinstance(out.ring, alsamm.MmapPlayback)
                taken = out.ring.rewind(10) if out.state is State.RUNNING else 0
                assert out.frame == numbers[-1] - taken or turn % 3 == 0
        assert all(b >= a + 690 for a, b in itertools.pairwise(numbers))


def test_a_start_at_a_time_is_exact_on_a_card_that_can() -> None:
    with a_card(clock="realtime") as card, alsamm.playback(card.device) as out:
        out.write(np.zeros((2000, 2), "i2"))
        late = []
        for _ in range(5):
            wanted = time.monotonic_ns() + 30_000_000
            late.append(out.start(at_ns=wanted) - wanted)
            out.drop()
            out.prepare()
            out.write(np.zeros((2000, 2), "i2"))
        assert min(late) >= 0
        assert min(late) < 1_000_000, late
        past = time.monotonic_ns()
        assert out.start(at_ns=past - 10**9) >= past, "what is past is now"


def test_load_and_waits() -> None:
    with a_card(clock="realtime") as card, alsamm.playback(card.device, period_size=480, buffer_size=1920) as out:
        for _ in out.periods(60):
            time.sleep(0.005)  # half a period: work
        stats = out.stats
        assert 0.3 < stats.load < 0.95
        assert 0 < stats.longest_wait < 1
        assert stats.late < 1920


# ---- its end ----


def test_a_block_that_is_left_over_keeps_no_card_busy() -> None:
    with a_card() as card:
        blocks: list[Any] = []
        for _ in range(2):
            with alsamm.capture(card.device) as mic:
                blocks += mic.periods(2)
        np.testing.assert_array_equal(blocks, 0)


def test_a_period_that_is_left_by_break_is_not_played() -> None:
    with a_card() as card:
        with alsamm.playback(card.device, channels=1, period_size=64) as out:
            for count, period in enumerate(out.periods()):
                period[...] = count + 1
                if count == 5:
                    break

            def fail() -> None:
                with out.reserve(64) as room:
                    room[...] = 99
                    raise ZeroDivisionError

            with pytest.raises(ZeroDivisionError):
                fail()
        assert sorted(set(card.played()[:, 0].tolist()) - {0}) == [1, 2, 3, 4, 5]


def test_a_short_sound_is_played_on_leaving() -> None:
    with a_card() as card:
        with alsamm.playback(card.device, channels=1) as out:
            out.write(np.array([1, 2, 3], "i2"))
        tape = card.played()[:, 0]
        assert tape[tape != 0].tolist() == [1, 2, 3]


def test_waiting_for_more_room_than_there_will_be_starts_the_card() -> None:
    with a_card() as card, alsamm.playback(card.device, period_size=64, buffer_size=256) as out:
        out.write(np.zeros((200, 2), "i2"))
        states = [out.state]
        out.wait()
        assert [*states, out.state] == [State.PREPARED, State.RUNNING]
