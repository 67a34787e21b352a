"""Ten seconds at two periods of 5 ms beside somebody busy, on a real kernel: no more xruns than aplay has there.

Run it with ``--icount``: an emulated machine whose time is the host's is late whenever the host is, whoever plays.
"""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Generator
from typing import Any

import numpy as np
import pytest

import alsamm
from tests.busy import busy_thread

SECONDS, RATE, PERIOD = 10, 48_000, 240
BUFFER = 2 * PERIOD

pytestmark = pytest.mark.needs("playback")


@contextlib.contextmanager
def playing(device: str) -> Generator[alsamm.MmapPlayback]:
    """A ring of two periods, started when it is full."""
    with alsamm.PCM(device, "playback") as pcm:
        hw = alsamm.HwParams(pcm)
        hw.access, hw.format, hw.channels, hw.rate = "MMAP_INTERLEAVED", "S16_LE", 2, RATE
        hw.period_size, hw.buffer_size = PERIOD, BUFFER
        pcm.configure(hw)
        sw = pcm.sw_params()
        sw.start_threshold = BUFFER
        pcm.configure(sw=sw)
        with alsamm.MmapPlayback(pcm) as ring:
            yield ring
            ring.drop()


def by_write_all(device: str, seconds: int = SECONDS) -> int:
    """xruns of one blocking call, beside the busy thread."""
    block = np.zeros((seconds * RATE, 2), "i2")
    with playing(device) as ring, busy_thread():
        assert ring.write_all(block, recover=True) == len(block) == ring.frames_done
        return ring.xruns


def by_python(device: str) -> int:
    """xruns of a loop that needs the GIL for every period, in a tenth of the time: that the thread is busy enough."""
    block = np.zeros((PERIOD, 2), "i2")
    xruns = frames = 0
    with playing(device) as ring, busy_thread():
        while frames < SECONDS * RATE // 10:
            try:
                ring.wait()
                frames += ring.write(block)
            except alsamm.Underrun:  # noqa: PERF203 -- what is counted
                xruns += 1
                ring.prepare()
    return xruns


def by_aplay(device: str, seconds: int = SECONDS) -> int:
    """The same by aplay, beside the same thread: it has no GIL, but the machine is as busy."""
    command = ["aplay", "-D", device, "-t", "raw", "-f", "S16_LE", "-c", "2", "-r", str(RATE), "-d", str(seconds)]
    command += [f"--period-size={PERIOD}", f"--buffer-size={BUFFER}", "/dev/zero"]
    with busy_thread():
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr.count("underrun")


def test_no_more_xruns_than_aplay(device: dict[str, Any]) -> None:
    name = str(device["playback"])
    for play in (by_write_all, by_aplay):  # the first sound brings code into memory, which takes a period over 9p
        play(name, 1)
    xruns = {"write_all": by_write_all(name), "aplay": by_aplay(name), "a loop in Python": by_python(name)}
    print(f"xruns: {xruns}")
    assert xruns["write_all"] <= xruns["aplay"], xruns
    assert xruns["a loop in Python"] > 0, xruns
