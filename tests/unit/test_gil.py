"""Which calls keep the GIL (``_c/gil.h``): those named fast_, and no others."""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import alsamm
import alsamm._c
from alsamm import sim
from alsamm._c import ffi, lib

SHIM = (Path(alsamm._c.__file__).parent / "shim.h").read_text()
ARRAY = np.zeros((8, 2), "i2")
FAST = re.findall(r"(?m)^[\w ]+?\**(fast_\w+)\(", SHIM)


@pytest.fixture
def others() -> Iterator[Callable[[], int]]:
    """How often another thread has had the GIL; it never takes it by force, for the switch interval is endless."""
    before = sys.getswitchinterval()
    turns = 0
    done = False

    def spin() -> None:
        nonlocal turns
        while not done:
            turns += 1
            time.sleep(0.0001)  # not 0: it would take the GIL back before anybody else woke up

    thread = threading.Thread(target=spin)
    thread.start()
    sys.setswitchinterval(1000)
    try:
        yield lambda: turns
    finally:
        sys.setswitchinterval(before)
        done = True
        thread.join()


def closed(kind: str) -> Any:
    """A struct as it is after close: every call on it answers EBADF and touches nothing."""
    struct = ffi.new(f"struct {kind} *")
    (struct.pages if kind == "alsamm_ring" else struct).fd = -1
    return struct


def arguments(name: str) -> list[Any]:
    parameters = re.search(rf"\b{name}\(([^)]*)\)", SHIM, re.DOTALL)
    assert parameters is not None
    given: list[Any] = []
    for parameter in parameters[1].split(",") if parameters[1] != "void" else []:
        kind = re.search(r"struct (alsamm_\w+)", parameter)
        given.append(
            closed(kind[1])
            if kind and kind[1] in {"alsamm_ring", "alsamm_pages"}
            else ffi.new(f"struct {kind[1]} *")
            if kind
            else ffi.new(f"{parameter.rpartition('*')[0].replace('const ', '')}[4]")
            if re.search(r"long \*", parameter)
            else ffi.NULL
            if "*" in parameter
            else -1
            if "int fd" in parameter
            else id(ARRAY)
            if "uintptr_t array" in parameter
            else 1
        )
    return given


def test_the_list_is_what_is_compiled() -> None:
    assert sorted(FAST) == sorted(name for name in dir(lib) if name.startswith("fast_"))


@pytest.mark.parametrize("name", FAST)
def test_fast_calls_keep_it(name: str, others: Callable[[], int]) -> None:
    call, given = getattr(lib, name), arguments(name)
    time.sleep(0.01)
    before = others()
    assert before > 0
    for _ in range(20_000):
        call(*given)
    assert others() == before


def test_calls_that_can_sleep_give_it_up(others: Callable[[], int]) -> None:
    read, write = os.pipe()
    try:
        revents = ffi.new("int *")
        time.sleep(0.01)
        before = others()
        assert lib.alsamm_poll(read, lib.POLLIN, 50, revents) == 0
        assert others() > before
    finally:
        os.close(read)
        os.close(write)


@pytest.mark.parametrize("what", ["wait", "write_all", "drain", "fill", "capture wait"])
def test_whatever_waits_for_a_card_gives_it_up(what: str, others: Callable[[], int]) -> None:
    """The software card stands still, so that each of them sleeps until its time is over."""
    capture = what in {"fill", "capture wait"}
    block = np.zeros((1024, 2), "i2")
    with sim.Card("gil") as card, alsamm.PCM(card.device, "capture" if capture else "playback") as pcm:
        pcm.setup(channels=2, period_size=64, buffer_size=256)
        ring: Any = (alsamm.MmapCapture if capture else alsamm.MmapPlayback)(pcm)
        with ring:
            if not capture:
                ring.write(block)
            else:
                ring.start()
            calls = {"wait": ring.wait, "capture wait": ring.wait, "drain": ring.drain}
            card.freeze()
            before = others()
            with pytest.raises(TimeoutError):
                calls[what](0.05) if what in calls else getattr(ring, what)(block, 0.05)
            assert others() > before
            ring.drop()


def test_a_long_copy_gives_it_up_and_a_short_one_does_not(others: Callable[[], int]) -> None:
    """``fast_write`` refuses what is long; ``write`` then takes the other way."""
    frames = 1 << 22  # 64 MiB, channel after channel: long enough for the other thread on a busy machine too
    long, short = np.zeros((frames, 8), "i2", order="F"), np.zeros((64, 8), "i2")
    sizes = 32, 1 << 26
    with sim.Card("long", period_bytes=sizes, buffer_bytes=sizes) as card, alsamm.PCM(card.device, "playback") as pcm:
        pcm.setup(channels=8, period_size=frames // 2, buffer_size=frames)
        with alsamm.MmapPlayback(pcm) as ring:
            ring.write(short)  # which starts the card, and START may sleep
            before = others()
            for _ in range(200):
                assert ring.write(short) == 64
            assert others() == before
            ring.rewind(frames)  # an ioctl, which gives it up itself
            before = others()
            assert ring.write(long) == frames
            assert others() > before
            ring.drop()
