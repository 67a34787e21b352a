"""A ring whose positions go on past 2^31 and 2^32 frames, from the first: hw_ptr has no other beginning (rule E9)."""

from __future__ import annotations

import itertools
import time

import numpy as np

import alsamm
from alsamm import sim
from alsamm.enums import Format

__all__ = ["past_two_to_the_32"]

PERIOD, BUFFER = 1 << 18, 1 << 20
END = (1 << 32) + (1 << 26)
_PRIME = 251  # so that no two turns of the ring are alike
_TELL = 10.0


def past_two_to_the_32(end: int = END) -> dict[str, int]:
    """U8 frames in a loop, a period at a time, every one compared; the pointers are read beside it."""
    pattern = np.tile(np.arange(_PRIME, dtype="u1"), PERIOD // _PRIME + 3)
    heard = np.empty((PERIOD, 1), "u1")
    started = told = time.monotonic()
    with (
        sim.Card("far", clock="auto", loop=True, record=False) as card,
        alsamm.PCM(card.device, "playback") as out_pcm,
        alsamm.PCM(card.device, "capture") as mic_pcm,
    ):
        for pcm in (out_pcm, mic_pcm):
            pcm.setup(format=Format.U8, channels=1, period_size=PERIOD, buffer_size=BUFFER)
        with alsamm.MmapCapture(mic_pcm, force_sync_ptr=True) as mic, alsamm.MmapPlayback(out_pcm) as out:
            for done in itertools.count(0, PERIOD):
                if done >= end + BUFFER:
                    break
                first = done % _PRIME
                out.write_all(pattern[first : first + PERIOD])
                if done == 0:
                    mic.start()
                assert out.appl_ptr == out.frame == done + PERIOD
                while mic.avail() >= PERIOD:
                    at = mic.appl_ptr
                    assert mic.read_into(heard) == PERIOD
                    assert np.array_equal(heard[:, 0], pattern[at % _PRIME :][:PERIOD]), f"at frame {at}"
                if time.monotonic() - told > _TELL:
                    told = time.monotonic()
                    print(f"far: {done / end:.0%} in {told - started:.0f} s", flush=True)
            assert mic.appl_ptr == mic.frame >= end
            figures = {"frames heard": mic.frame, "last hw_ptr": out.hw_ptr}
            out.drop()
            mic.drop()
    return figures
