"""Faults found by reading the core beside threads, forks and unplugs, each with the case that showed it."""

from __future__ import annotations

import errno
import os
import sys
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import alsamm
from alsamm import sim
from alsamm._c import ffi, lib
from alsamm.direct import mmap_io
from tests.unit.conftest import Opener
from tests.unit.native_kit import Rings
from tests.unit.native_kit import rings as rings  # noqa: PLC0414 -- a fixture


def test_a_child_that_was_forked_while_the_numbers_changed_does_not_wait_for_them(ring: Opener) -> None:
    """Nobody ends the change there: ``frame`` asked for ever."""
    out = ring()
    out._ring.anchor.version |= 1
    out._pages.forked()  # what a fork does in the child
    assert lib.fast_frame(out._ring, ffi.new("long long *")) == -errno.EBADF
    with pytest.raises(alsamm.ClosedError):
        _ = out.frame


def test_an_unplug_within_prepare_leaves_no_number_changing(rings: Rings) -> None:
    """What PREPARE did to a linked partner was not noted where the silence failed: its ``frame`` never came."""
    ways: set[int] = set()
    for _ in range(400):
        out, heard = rings("playback", "capture", linked=True, force_sync_ptr=True)
        go = threading.Event()

        def unplug(card: sim.Card = out.card, go: threading.Event = go) -> None:
            go.wait()
            card.unplug()

        thread = threading.Thread(target=unplug)
        thread.start()
        go.set()
        while (error := lib.alsamm_prepare(out._ring)) == 0:
            pass
        thread.join()
        ways.add(error)
        assert (out._ring.anchor.version & 1, heard._ring.anchor.version & 1) == (0, 0)
        for opened in (heard, out):
            opened.close()
            opened.device.close()
        out.card.close()
    assert ways == {-errno.ENODEV}


def test_who_comes_out_of_c_while_another_thread_closes_leaves_it_the_descriptor(
    ring: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It tidied up, and DROP went to whatever had the number by then."""
    out = ring()
    inside, free = threading.Event(), threading.Event()
    answers: list[int] = []

    def in_c() -> int:
        inside.set()
        free.wait()
        return 0

    waiter = threading.Thread(target=out._outside, args=(in_c,))

    def drop(fd: int, op: int, argument: int, result: Any) -> int:
        free.set()
        waiter.join()
        answers.append(lib.alsamm_pcm_op(fd, op, argument, result))
        return answers[-1]

    monkeypatch.setattr(
        mmap_io, "lib", SimpleNamespace(alsamm_pcm_op=drop, ALSAMM_DROP=lib.ALSAMM_DROP, alsamm_drain=lib.alsamm_drain)
    )
    waiter.start()
    inside.wait()
    fd = out._ring.pages.fd
    out.close(drop=True)
    assert answers == [0]
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


# ---- the time of a position ----


@pytest.fixture
def impatient() -> Iterator[None]:
    """Threads take the GIL from one another at once."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("impatient")
def test_the_time_of_a_stream_that_begins_does_not_go_back() -> None:
    """Where the card had told no time it was that of after the question, and the card had moved in between."""
    back: list[tuple[alsamm.Position, alsamm.Position]] = []
    for _ in range(5):
        with sim.Card("begins", clock="realtime", granularity=48) as card, alsamm.PCM(card.device, "playback") as pcm:
            pcm.setup(channels=2, period_size=1024, buffer_size=8192)
            with alsamm.MmapPlayback(pcm) as out:
                ended = threading.Event()

                def read(out: alsamm.MmapPlayback = out, ended: threading.Event = ended) -> None:
                    last = alsamm.Position(0, 0)
                    while not ended.is_set():
                        now = out.position()
                        if now.frame < last.frame or now.time_ns < last.time_ns:
                            back.append((last, now))
                        last = now

                threads = [threading.Thread(target=read) for _ in range(4)]
                for thread in threads:
                    thread.start()
                out.write_all(np.zeros((12_000, 2), "i2"))
                ended.set()
                for thread in threads:
                    thread.join()
                out.drop()
    assert not back


def test_the_time_of_a_stream_that_goes_on_after_a_pause_does_not_go_back() -> None:
    """The kernel's is that of the last movement (rule M4), before the pause, in which it was told to be there yet."""
    with sim.Card("pauses", clock="realtime") as card, alsamm.PCM(card.device, "playback") as pcm:
        pcm.setup(channels=2, period_size=4800, buffer_size=19_200)
        with alsamm.MmapPlayback(pcm) as out:
            out.write(np.zeros((19_200, 2), "i2"))
            time.sleep(0.01)
            card.freeze()
            out.hwsync()
            out.pause()
            paused = out.position()
            out.pause(enable=False)
            assert out.state is alsamm.State.RUNNING
            going_on = out.position()
            out.drop()
    assert going_on.frame == paused.frame > 0
    assert going_on.time_ns >= paused.time_ns


def test_a_card_whose_time_is_simulated_stands_still_in_that_time() -> None:
    """It was told to be there in the machine's, milliseconds ahead, and its clock was learned to be wrong."""
    with sim.Card("own", clock="auto") as card, alsamm.playback(card.device) as out:
        time.sleep(0.01)
        assert out.time() == (0, card.time_ns)
        for _ in range(50):
            out.write(np.zeros((1200, 2), "i2"))
            out.time()
        assert abs(out.clock.ppm) < 0.01


# ---- who takes another array in between ----


class Interrupted(np.ndarray[Any, np.dtype[Any]]):
    """An array of which Python code, such as a signal's handler, comes to run when it is handed over."""

    handler: Any = None

    def __len__(self) -> int:
        handler, self.handler = self.handler, None
        if handler is not None:
            handler()
        return int(self.shape[0])


@pytest.fixture
def played() -> Iterator[tuple[alsamm.MmapPlayback, sim.Card]]:
    with sim.Card("taken") as card, alsamm.PCM(card.device, "playback") as pcm:
        pcm.setup(channels=2, period_size=4096, buffer_size=131_072)
        sw = pcm.sw_params()
        sw.start_threshold = sw.boundary
        pcm.configure(sw=sw)
        with alsamm.MmapPlayback(pcm) as out:
            yield out, card
            out.drop()


def test_a_handler_that_writes_when_an_array_was_taken_does_not_take_its_place(
    played: tuple[alsamm.MmapPlayback, sim.Card],
) -> None:
    """The handler's frames were played twice, and the caller's not at all."""
    out, card = played
    samples = np.full((20, 2), 5, "i2").view(Interrupted)
    samples.handler = lambda: out.write(np.full((10, 2), 7, "i2"))
    assert out.write(samples) == 20
    out.start()
    card.advance(30)
    np.testing.assert_array_equal(card.played()[:30, 0], [7] * 10 + [5] * 20)


@pytest.mark.parametrize("call", ["write", "write_all"])
def test_nor_once_it_is_moved_without_the_gil(
    played: tuple[alsamm.MmapPlayback, sim.Card], monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    out, _ = played
    pin = out._pin

    def interrupted(array: np.ndarray[Any, Any]) -> object:
        pinned = pin(array)
        monkeypatch.undo()
        assert out.write(np.full((10, 2), 7, "i2")) == 10
        return pinned

    monkeypatch.setattr(out, "_pin", interrupted)
    with pytest.raises(alsamm.StateError, match="a signal's handler, or another thread"):
        getattr(out, call)(np.full((100_000, 2), 5, "i2"))
    assert out.appl_ptr == 10


def test_a_pause_is_no_part_of_the_clocks_line() -> None:
    """On a card that moves by steps the first time after it is that of before it, from which the line began anew."""
    step = 960
    with (
        sim.Card("steps", clock="realtime", granularity=step) as card,
        alsamm.playback(card.device, channels=2, period_size=4800, buffer_size=96_000) as stream,
    ):
        stream.write(np.zeros((90_000, 2), "i2"))
        stream.start()
        while stream.time().frame < 10 * step:
            time.sleep(0.002)
        stream.pause()
        time.sleep(0.3)
        stream.pause(enable=False)
        paused = stream.time().frame
        while (place := stream.time()).frame < paused + 5 * step:
            assert abs(stream.frame_at(place.time_ns) - place.frame) < 2 * step
            time.sleep(0.002)
        assert abs(stream.frame_at(time.monotonic_ns()) - stream.time().frame) < 4 * step
        stream.drop()
