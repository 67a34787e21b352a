"""What the contract cannot show: a card that writes over what is being read, and memory that is in use."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

import alsamm
from alsamm import sim
from alsamm.direct.samples import block_of
from alsamm.enums import Access, Format

CHANNELS, BUFFER = 64, 16_384
UNTOUCHED = 0x5A5A5A5A


def test_an_overrun_during_the_copy_is_found() -> None:
    """Rule G5: avail is looked at before and after. The array was written to, so it was the second look."""
    with sim.Card("torn") as card, alsamm.PCM(card.device, "capture") as pcm:
        hw = alsamm.HwParams(pcm)
        hw.access, hw.format, hw.channels, hw.rate = Access.MMAP_INTERLEAVED, "S32_LE", CHANNELS, 48_000
        hw.buffer_size, hw.period_size = BUFFER, BUFFER // 4
        pcm.configure(hw)
        sw = pcm.sw_params()
        sw.stop_threshold = sw.boundary
        pcm.configure(sw=sw)
        with alsamm.MmapCapture(pcm) as ring:
            for _ in range(50):
                ring.prepare()
                ring.start()
                card.advance(BUFFER)
                assert ring.avail() == BUFFER
                # Channel after channel: a copy that takes long, without the GIL.
                out = np.full((BUFFER, CHANNELS), UNTOUCHED, "i4", order="F")
                found: list[BaseException] = []

                def read(out: np.ndarray = out, found: list[BaseException] = found) -> None:
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
                ring.drop()
                if found:
                    break
            else:
                pytest.fail("the card never moved while the copy was under way")
            assert "frames that were not read" in str(found[0])
            assert not np.all(out == UNTOUCHED)
            assert ring.appl_ptr == 0, "nothing was committed"


def test_a_buffer_cannot_be_resized_while_it_is_copied() -> None:
    """Whoever tries gets Python's own BufferError, as for any buffer in use."""
    block = block_of(samples := bytearray(4 * 100), Format.S16_LE, 2)
    with pytest.raises(BufferError):
        samples.extend(b"more")
    del block
    samples.extend(b"more")
