"""Rings on software cards for native callbacks, and what looks after their threads."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import alsamm
from alsamm import sim
from alsamm.stream.native import NativeThread
from tests.unit.conftest import quietly

__all__ = [
    "ROADS",
    "SILENCE",
    "Rings",
    "native_tasks",
    "notes",
    "numbers",
    "rings",
    "run",
    "undisturbed_by_others",
    "until",
]

Rings = Callable[..., Any]
SILENCE = 128
"""Frames that the playback of a duplex begins with."""

ROADS: dict[str, dict[str, Any]] = {
    "mapped": {},
    "control refused": {"refuse_control": True},
    "both refused": {"refuse_control": True, "refuse_status": True},
    "SYNC_PTR": {"force_sync_ptr": True},
    "no interrupts": {"interrupts": False},
}


@pytest.fixture
def rings() -> Generator[Rings]:
    """The rings of one software card of its own, which is their ``card``."""
    with contextlib.ExitStack() as stack:

        def opener(
            *directions: str,
            clock: Any = "auto",
            access: str = "MMAP_INTERLEAVED",
            period_size: int = 64,
            buffer_size: int | None = None,
            silence: int = SILENCE,
            linked: bool = False,
            free_run: bool = False,
            held: bool = False,
            dtype: Any = None,
            force_sync_ptr: bool = False,
            **card: Any,
        ) -> list[Any]:
            if buffer_size is None:  # in real time a virtual machine's stalls are no matter here
                buffer_size = 8192 if clock == "realtime" else 128
            made = stack.enter_context(sim.Card("native", clock=clock, **card))
            opened: list[Any] = []
            for direction in directions:
                pcm = stack.enter_context(alsamm.PCM(made.device, direction))
                pcm.setup(access=access, rate=48_000, channels=2, period_size=period_size, buffer_size=buffer_size)
                sw = pcm.sw_params()
                if free_run:
                    sw.stop_threshold = sw.boundary
                if held or len(directions) > 1:  # something is written before the start
                    sw.start_threshold = sw.boundary
                pcm.configure(sw=sw)
                kind = alsamm.MmapPlayback if direction == "playback" else alsamm.MmapCapture
                ring: Any = stack.enter_context(kind(pcm, dtype=dtype, force_sync_ptr=force_sync_ptr))
                stack.callback(quietly, ring.drop)
                ring.card = made
                ring._ring.no_period_wakeup = not card.get("interrupts", True)  # alsa-lib's plugins cannot be asked
                opened.append(ring)
            if linked:
                opened[0].device.link(opened[1].device)
            if len(opened) > 1:
                opened[0].pair_with(opened[1], linked=linked)
                opened[0].refill = silence
                opened[0].commit(silence)
            return opened

        yield opener


def numbers(frames: int) -> np.ndarray[Any, Any]:
    """What ``ramp`` plays."""
    line = (np.arange(frames) & 0x7FFF).astype("i2")
    return np.stack([line, -line], 1)


def notes(frames: int) -> np.ndarray[Any, Any]:
    """Room for what ``hear`` and ``echo`` hear."""
    room = np.zeros(8 + frames, "i2")
    room[:4].view("i8")[0] = frames
    return room


def run(thread: NativeThread, timeout: float = 20) -> NativeThread:
    thread.start()
    thread.join(timeout)
    thread.check()
    return thread


def native_tasks() -> list[int]:
    """The threads of that name which this process has."""
    found = []
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):  # ended meanwhile
            if (task / "comm").read_text().strip() == "alsamm-native":
                found.append(int(task.name))
    return found


def until(happened: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.001)


@contextlib.contextmanager
def undisturbed_by_others() -> Generator[bool]:
    """Real-time priority for the threads that are made here, where that is allowed; whether it is."""
    before = os.sched_getscheduler(0), os.sched_getparam(0)
    allowed = False
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
        allowed = True
    try:
        yield allowed
    finally:
        os.sched_setscheduler(0, *before)
