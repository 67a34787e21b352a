"""What the contract cannot show: a card that writes over what is being read, and memory that is in use."""

from __future__ import annotations

import signal
import threading
import time

import numpy as np
import pytest

import alsamm
from alsamm import sim
from alsamm.enums import Access

CHANNELS, BUFFER = 64, 262_144
UNTOUCHED = 0x5A5A5A5A


def test_an_overrun_during_the_copy_is_found() -> None:
    """Rule G5: avail is looked at before and after. The array was written to, so it was the second look."""
    # 64 MiB, channel after channel: a copy of 0.1 s without the GIL, so that a busy machine runs us beside it too.
    sizes = 32, 1 << 26
    with sim.Card("torn", period_bytes=sizes, buffer_bytes=sizes) as card, alsamm.PCM(card.device, "capture") as pcm:
        hw = alsamm.HwParams(pcm)
        hw.access, hw.format, hw.channels, hw.rate = Access.MMAP_INTERLEAVED, "S32_LE", CHANNELS, 48_000
        hw.buffer_size, hw.period_size = BUFFER, BUFFER // 4
        pcm.configure(hw)
        sw = pcm.sw_params()
        sw.stop_threshold = sw.boundary
        pcm.configure(sw=sw)
        with alsamm.MmapCapture(pcm) as ring:
            ring.start()
            card.advance(BUFFER)
            assert ring.avail() == BUFFER
            out = np.full((BUFFER, CHANNELS), UNTOUCHED, "i4", order="F")
            found: list[BaseException] = []

            def read() -> None:
                try:
                    ring.read_into(out)
                except alsamm.Overrun as error:
                    found.append(error)

            reader = threading.Thread(target=read)
            reader.start()
            while reader.is_alive() and out[0, 0] == UNTOUCHED:
                time.sleep(0)
            card.advance(BUFFER // 4)
            reader.join()
            assert found, "the card never moved while the copy was under way"
            assert "frames that were not read" in str(found[0])
            assert not np.all(out == UNTOUCHED)
            assert ring.appl_ptr == 0, "nothing was committed"


def test_a_buffer_cannot_be_resized_while_it_is_copied() -> None:
    """Whoever tries gets Python's own BufferError, as for any buffer in use; once written it is the caller's again."""
    with sim.Card("resize") as card, small("playback", card) as pcm, alsamm.MmapPlayback(pcm) as ring:
        samples = bytearray(2 * 300)
        told: list[BaseException] = []

        def resize() -> None:
            time.sleep(0.05)
            try:
                samples.extend(b"more")
            except BufferError as error:
                told.append(error)

        thread = threading.Thread(target=resize)
        thread.start()
        card.freeze()
        with pytest.raises(TimeoutError):
            ring.write_all(samples, timeout=0.3)
        thread.join()
        assert told
        samples.extend(b"more")
        ring.drop()


def small(direction: str, card: sim.Card, **sw_params: object) -> alsamm.PCM:
    """Period 64, buffer 256, mono."""
    pcm = alsamm.PCM(card.device, direction)
    pcm.setup(channels=1, period_size=64, buffer_size=256)
    if sw_params:
        sw = pcm.sw_params()
        for name, value in sw_params.items():
            setattr(sw, name, sw.boundary if value == "boundary" else value)
        pcm.configure(sw=sw)
    return pcm


def test_an_overrun_that_no_interrupt_has_told_of_is_found() -> None:
    """The page's hw_ptr is a period old (rule H1), so near the edge the card itself is asked (rule G5)."""
    with sim.Card("stale") as card, small("capture", card) as pcm, alsamm.MmapCapture(pcm) as ring:
        card.feed(np.arange(1, 1001, dtype="i2")[:, None])
        ring.start()
        card.advance(64)
        ring.read(1)
        card.advance(192)
        assert ring.avail() == 255
        card.advance(50)  # no interrupt: the page still says 255
        assert ring.avail() == 255
        with pytest.raises(alsamm.Overrun):
            ring.read()


@pytest.mark.parametrize("advance", [100, 40])
def test_a_capture_drain_keeps_what_came_since_the_last_interrupt(advance: int) -> None:
    with sim.Card("tail") as card, small("capture", card) as pcm, alsamm.MmapCapture(pcm) as ring:
        ring.start()
        card.advance(advance)
        ring.drain()
        assert len(ring.read()) == advance
        with pytest.raises(alsamm.StateError):
            ring.wait()  # nothing more will come
        ring.drop()


def test_a_drain_tells_of_an_underrun() -> None:
    with sim.Card("dry") as card, small("playback", card) as pcm, alsamm.MmapPlayback(pcm) as ring:
        for drain in (ring.drain, pcm.drain):
            ring.prepare()
            ring.write(np.ones(128, "i2"))
            card.advance(300)
            assert ring.state is alsamm.State.XRUN
            with pytest.raises(alsamm.Underrun):
                drain()


def test_a_wait_ends_in_time_although_signals_come() -> None:
    def harmless(number: int, frame: object) -> None:
        """Anything that does not raise."""

    before = signal.signal(signal.SIGALRM, harmless)
    try:
        with (
            sim.Card("storm") as card,
            small("playback", card, start_threshold="boundary") as pcm,
            alsamm.MmapPlayback(pcm) as ring,
        ):
            ring.commit(256)
            signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
            for call in (ring.wait, ring.drain):
                card.freeze()
                started = time.monotonic()
                with pytest.raises(TimeoutError):
                    call(0.1)
                assert time.monotonic() - started < 5
            ring.drop()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_the_rings_own_status_ends_with_the_ring() -> None:
    with sim.Card("own") as card, small("playback", card) as pcm, alsamm.MmapPlayback(pcm) as ring:
        with ring.status as status, ring.control:
            assert status.state is alsamm.State.PREPARED
        assert not ring.closed
        assert status.hw_ptr == 0
