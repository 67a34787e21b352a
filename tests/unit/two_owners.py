"""Two threads on one ring, which is misuse: run as a process of its own by test_threads.py, which looks how it ends.

The arrays of one thread end before a page that nobody may touch, and the other's have strides of another length: a copy
of the one by the other's strides, or length, is a crash.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
import threading
import time
from typing import Any

import numpy as np

import alsamm
from alsamm import sim

CHANNELS, PERIOD, BUFFER = 8, 256, 1024
SECONDS = 0.6


def before_a_wall(frames: int) -> Any:
    """An array (frames, 8) of int16, channel after channel, whose end is that of the memory that may be touched."""
    size = -(-frames * 2 * CHANNELS // mmap.PAGESIZE) * mmap.PAGESIZE
    memory = mmap.mmap(-1, size + mmap.PAGESIZE)
    wall = ctypes.addressof(ctypes.c_char.from_buffer(memory)) + size
    assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(wall), ctypes.c_size_t(mmap.PAGESIZE), 0) == 0
    samples = frames * CHANNELS
    return np.frombuffer(memory, "i2", samples, size - 2 * samples).reshape(CHANNELS, frames).T


def main(direction: str, what: str) -> None:  # noqa: C901 -- the story of one process
    sys.setswitchinterval(1e-5)
    kind = alsamm.MmapPlayback if direction == "playback" else alsamm.MmapCapture
    with (
        sim.Card("owners", clock="realtime", speed=100, record=False) as card,
        alsamm.PCM(card.device, direction) as pcm,
    ):
        pcm.setup(channels=CHANNELS, period_size=PERIOD, buffer_size=BUFFER)
        sw = pcm.sw_params()
        sw.stop_threshold = sw.boundary
        pcm.configure(sw=sw)
        ring: Any = kind(pcm)
        move = ring.write_all if direction == "playback" else ring.fill
        quick = ring.write if direction == "playback" else ring.read_into
        wall, apart = before_a_wall(10_000), np.zeros((500_000, CHANNELS), "i2")[::500]
        end = time.monotonic() + SECONDS
        told: set[str] = set()

        def call(function: Any, *arguments: Any) -> None:
            try:
                function(*arguments)
            except (alsamm.AlsaError, TimeoutError) as error:
                told.add(type(error).__name__)

        def goes_on() -> bool:
            return not ring.closed if what == "close" else time.monotonic() < end

        def owner() -> None:
            while goes_on():
                call(move, wall)

        def other() -> None:
            while goes_on():
                call(move if what == "whole" else quick, apart)
                call(quick, np.zeros((3, CHANNELS), "i2"))  # gone as soon as this returned
                if what == "prepare":
                    call(ring.prepare)
                    call(ring.recover)

        threads = [threading.Thread(target=owner), threading.Thread(target=other)]
        for thread in threads:
            thread.start()
        if what == "close":
            time.sleep(SECONDS / 2)
            ring.close()
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive(), "hangs"
        ring.close()
        call(move, wall)
    print("ended", *sorted(told))


main(*sys.argv[1:])
