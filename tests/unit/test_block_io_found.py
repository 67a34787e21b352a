"""What an independent reading of block_io.py, signals.py and the C below found: each of these failed before."""

from __future__ import annotations

import array
import contextlib
import gc
import os
import signal
import time
import weakref
from collections.abc import Callable, Generator
from typing import Any

import numpy as np
import pytest

import alsamm
from alsamm import sim
from alsamm._c import lib

BLOCK = np.arange(1, 9, dtype="i2").reshape(4, 2)


@contextlib.contextmanager
def playback(name: str, *, start: bool = False, dtype: Any = None, **options: Any) -> Generator[Any]:
    """A ring of 16 periods of 64 frames, with its card. Nothing stops it: a busy machine is no matter here."""
    form = options.pop("format", "S16_LE")
    with sim.Card(name, **options) as card, alsamm.PCM(card.device, "playback") as pcm:
        pcm.setup(format=form, channels=2, period_size=64, buffer_size=1024)
        sw = pcm.sw_params()
        sw.stop_threshold = sw.boundary
        if not start:
            sw.start_threshold = sw.boundary
        pcm.configure(sw=sw)
        ring: Any = alsamm.MmapPlayback(pcm, dtype=dtype)
        with contextlib.closing(ring):
            ring.card = card
            yield ring


@contextlib.contextmanager
def on_alarm(handler: Callable[[], object]) -> Generator[None]:
    """Call it in 30 ms, as the handler of a signal."""

    def call(number: int, frame: object) -> None:  # noqa: ARG001 -- signal's signature
        handler()

    before = signal.signal(signal.SIGALRM, call)
    signal.setitimer(signal.ITIMER_REAL, 0.03)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_nothing_is_kept_after_a_block_that_did_not_fit() -> None:
    """C had the address of an array that nobody held, and None was taken for it: a use after free."""
    with playback("dead") as out:
        assert out.write(np.ones((5_000, 2), "i2")) == 1024
        gc.collect()
        out.prepare()
        for call in (out.write, out.write_all):
            with pytest.raises(alsamm.ArgumentTypeError):
                call(None)
        assert out.appl_ptr == 0


def test_a_handler_that_uses_the_ring_it_interrupts_is_told() -> None:
    """The block would be another one when C went on: frames were lost without a word."""
    with playback("fade", clock="realtime", start=True) as out:
        for block in (np.zeros((10, 2), "i2"), np.zeros((5_000, 2), "i2"), long := np.zeros((96_000, 2), "i2")):
            out.drop()
            out.prepare()
            with on_alarm(lambda block=block: out.write(block)), pytest.raises(alsamm.StateError, match="handler"):  # type: ignore[misc]
                out.write_all(long)
        out.drop()


def test_a_handler_may_close_the_ring() -> None:
    with (
        playback("closing", clock="realtime", start=True) as out,
        on_alarm(out.close),
        pytest.raises(alsamm.ClosedError),
    ):
        out.write_all(np.zeros((96_000, 2), "i2"))


def test_a_handler_may_wait_for_another_ring() -> None:
    """Each wait took the other's wake-up descriptor for a stranger's, and handed its signals round for ever."""
    done: list[int] = []
    with (
        playback("outer", clock="realtime", start=True) as out,
        playback("inner", clock="realtime", start=True) as other,
    ):
        out.card.freeze()
        with (
            on_alarm(lambda: done.append(other.write_all(np.zeros((2_400, 2), "i2")))),
            pytest.raises(TimeoutError),
        ):
            out.write_all(np.zeros((9_600, 2), "i2"), timeout=0.4)
    assert done == [2_400]
    assert signal.set_wakeup_fd(-1) == -1


def test_a_wake_up_descriptor_that_is_closed_meanwhile() -> None:
    """Its owner may go while we wait; that must neither fail us nor leave ours behind."""
    reading, writing = os.pipe2(os.O_NONBLOCK)
    with playback("closed", clock="realtime", start=True) as out:
        signal.set_wakeup_fd(writing)
        try:
            with on_alarm(lambda: os.close(writing)):
                assert out.write_all(np.zeros((9_600, 2), "i2")) == 9_600
        finally:
            left = signal.set_wakeup_fd(-1)
            os.close(reading)
    assert left == -1


@pytest.mark.parametrize("refused", [{"refuse_status": True}, {"refuse_control": True}, {}])
def test_a_pointer_that_is_moved_by_another_object_is_seen(refused: dict[str, bool]) -> None:
    """SYNC_PTR's last answer holds only until somebody moves the PCM, by whichever road."""
    with sim.Card("moved", **refused) as card, alsamm.PCM(card.device, "playback") as pcm:  # type: ignore[arg-type]
        pcm.setup(channels=2, period_size=1024, buffer_size=8192)
        with alsamm.MmapPlayback(pcm, force_sync_ptr=not refused) as out, alsamm.Control(pcm) as control:
            block = np.ones((100, 2), "i2")
            out.write(block)
            out.write(block)
            assert control.appl_ptr == 200
            control.appl_ptr = 500
            out.write(block)
            assert control.appl_ptr == 600
            pcm.rewind(50)
            out.write(block)
            assert control.appl_ptr == 650
            out.drop()


def test_avail_is_not_older_than_what_was_just_shown() -> None:
    with sim.Card("shown", clock="realtime", refuse_control=True) as card, alsamm.PCM(card.device, "playback") as pcm:
        pcm.setup(channels=2, period_size=8192, buffer_size=32_768)
        with alsamm.MmapPlayback(pcm) as out:
            out.write(np.ones((16_384, 2), "i2"))
            out.write(np.ones((10, 2), "i2"))
            time.sleep(0.02)
            now = out.snapshot(hwsync=True)
            assert out.avail() >= now.hw_ptr + 32_768 - now.appl_ptr
            out.drop()


@pytest.mark.parametrize("refused", [b"abc", iter([1, 2, 3]), np.zeros((4, 3), "i2"), None])
def test_the_count_is_of_this_call(refused: object) -> None:
    """Who goes on from frames_done must not go on from where an older call came to."""
    with playback("count") as out:
        out.write(BLOCK)
        with pytest.raises(alsamm.AlsaError):
            out.write(refused)
        assert out.frames_done == 0
        out.write(BLOCK)
        with pytest.raises(alsamm.ArgumentError):
            out.write_all(BLOCK, timeout=-1)
        assert out.frames_done == 0


def test_nan_is_silence_to_a_float_card_too() -> None:
    block = np.array([[0.5, np.nan], [np.nan, 2.0]], "f4")
    with playback("nan", format="FLOAT_LE", dtype="f4") as out:
        out.write(block)
        assert out.data()[0].offset == 2
        assert [out.channel(c)[:2].tolist() for c in (0, 1)] == [[0.5, 0], [0, 2.0]]
    with playback("raw", format="FLOAT_LE") as out:
        out.write(block)
        assert np.isnan(out.channel(1)[0]), "without dtype samples are copied as they are"


def test_more_kinds_of_objects() -> None:
    with playback("kinds") as out:
        octets = array.array("B", BLOCK.tobytes())
        assert out.write(octets) == out.write_all(octets) == 4
        assert [out.channel(c)[4:8].tolist() for c in (0, 1)] == BLOCK.T.tolist()
        with pytest.raises(alsamm.ArgumentTypeError, match="filled"):
            out.write(np.ma.masked_array(BLOCK, mask=BLOCK > 3))
        with pytest.raises(alsamm.ArgumentTypeError):
            out.write(weakref.proxy(BLOCK))
        assert out.write_all(BLOCK, timeout=10**400) == 4


def test_an_avail_min_that_no_ring_has_is_no_busy_loop() -> None:
    """Through a bare Control it can be set; poll is then ready at once when the card is late by more."""
    with playback("busy", clock="realtime") as out:
        out.write(np.zeros((1024, 2), "i2"))
        out.start()
        out.control.avail_min = 4096
        before = time.process_time()
        assert out.write_all(np.zeros((24_000, 2), "i2")) == 24_000
        assert time.process_time() - before < 0.25
        out.drop()


def test_dither_goes_on_where_the_pointers_wrap() -> None:
    """One call across boundary makes the same noise as two."""
    heard: list[Any] = []
    for parts in ([200], [96, 104]):
        with playback("wrap", boundary=4096, dtype="f4") as plain:
            pcm = plain.device
            plain.close()
            with alsamm.MmapPlayback(pcm, dtype="f4", dither=True) as out:
                out.control.appl_ptr = 4096 - 96
                for frames in parts:
                    assert out.write(np.zeros((frames, 2), "f4")) == frames
                heard.append(out.channel(0).tolist())
                out.drop()
    assert heard[0] == heard[1]
    assert any(heard[0])


def test_filling_asks_the_card_before_it_copies_where_no_page_is_mapped() -> None:
    """Rule D10: on cards that are not coherent only HWSYNC makes what was captured valid for reading."""
    with (
        sim.Card("explicit", refuse_status=True, refuse_control=True) as card,
        alsamm.PCM(card.device, "capture") as pcm,
    ):
        pcm.setup(channels=2, period_size=64, buffer_size=1024)
        with alsamm.MmapCapture(pcm) as ring:
            ring.start()
            out = np.zeros((10, 2), "i2")
            ring._take(out)
            card.advance(50)  # no interrupt: who does not ask sees nothing
            assert lib.alsamm_fill(ring._ring, id(out), -1, 0) == 0
            assert ring.frames_done == 10
            ring.drop()
