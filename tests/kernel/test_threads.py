"""On a real kernel: readers beside a writer, who else may hold the PCM, and what many openings leave behind."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import alsamm
from tests.reliability.lifetimes import Left, count_left

SIZES: dict[str, Any] = {"channels": 2, "period_size": 1024, "buffer_size": 8192}
BLOCK = np.zeros((1024, 2), "i2")

pytestmark = pytest.mark.needs("playback")


def opened(device: dict[str, Any]) -> alsamm.PCM:
    pcm = alsamm.PCM(device["playback"], "playback")
    pcm.setup(**SIZES)
    sw = pcm.sw_params()
    sw.stop_threshold = sw.boundary
    pcm.configure(sw=sw)
    return pcm


@pytest.mark.parametrize("force_sync_ptr", [False, True], ids=["own", "forced"])
def test_four_readers_beside_a_writer(device: dict[str, Any], force_sync_ptr: bool) -> None:
    problems: list[BaseException] = []
    rounds = [0] * 4
    ended = threading.Event()
    with opened(device) as pcm, alsamm.MmapPlayback(pcm, force_sync_ptr=force_sync_ptr) as ring:

        def read(number: int) -> None:
            last = alsamm.Position(0, 0)
            appl_ptr = 0
            try:
                with alsamm.Status(pcm, force_sync_ptr=force_sync_ptr) as status:
                    while not ended.is_set():
                        now = ring.position()
                        assert now.frame >= last.frame
                        assert now.time_ns >= last.time_ns
                        assert status.hw_ptr < ring.boundary
                        assert status.state in (alsamm.State.PREPARED, alsamm.State.RUNNING)
                        assert ring.control.appl_ptr >= appl_ptr
                        assert ring.interruptions == []
                        last, appl_ptr = now, ring.control.appl_ptr
                        rounds[number] += 1
            except BaseException as error:  # noqa: BLE001 -- told below
                problems.append(error)

        threads = [threading.Thread(target=read, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        ring.write_all(np.zeros((48_000, 2), "i2"))
        ended.set()
        for thread in threads:
            thread.join(20)
        ring.drop()
    assert not problems, problems
    assert min(rounds) > 20


def test_close_from_another_thread_while_it_waits(device: dict[str, Any]) -> None:
    """ClosedError, at once, and the card is free."""
    with opened(device) as pcm:
        ring = alsamm.MmapPlayback(pcm)
        told: list[str] = []

        def write() -> None:
            try:
                ring.write_all(np.zeros((480_000, 2), "i2"))
            except alsamm.AlsaError as error:
                told.append(type(error).__name__)

        writer = threading.Thread(target=write)
        writer.start()
        time.sleep(0.3)
        ring.close()
        writer.join(5)
        assert told == ["ClosedError"]
    opened(device).close()


# ---- descriptors ----


def node_of(pcm: alsamm.PCM) -> str:
    return str(Path(f"/proc/self/fd/{pcm.kernel_fd()}").readlink())


def test_by_a_descriptor_that_may_only_read(device: dict[str, Any]) -> None:
    """The control page cannot be mapped by it (rule A1): SYNC_PTR then."""
    with alsamm.PCM(device["playback"], "playback") as pcm:
        node = node_of(pcm)
    fd = os.open(node, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with alsamm.Status.from_fd(fd) as status, alsamm.Control.from_fd(fd) as control:
            assert status.state is alsamm.State.OPEN
            assert control.transport is alsamm.Transport.SYNC_PTR
    finally:
        os.close(fd)


def test_who_attaches_by_o_append_has_the_same_stream(device: dict[str, Any]) -> None:
    """Rule A2, and docs/security.md: it sees and moves all; what it writes there costs its owner frames and no more."""
    with opened(device) as pcm, alsamm.MmapPlayback(pcm) as ring:
        ring.write_all(BLOCK)
        flags = os.O_RDWR | os.O_NONBLOCK | os.O_APPEND
        if (
            device["driver"] == "snd-aloop"
        ):  # of several substreams one would have to be named first, by the control device
            with pytest.raises(OSError, match="Invalid argument"):
                os.open(node_of(pcm), flags)
            ring.drop()
            return
        fd = os.open(node_of(pcm), flags)
        try:
            with alsamm.Control.from_fd(fd) as control, alsamm.Status.from_fd(fd) as status:
                assert control.appl_ptr == ring.appl_ptr == 1024
                assert status.state is ring.state
                for hostile in (0, 1, 7, ring.buffer_size - 1, ring.boundary - 1):
                    control.appl_ptr = hostile
                    frames = ring.avail()
                    assert 0 <= frames <= ring.boundary
                    for view in ring.data():
                        assert view is None or view.frames <= ring.buffer_size
                    written = ring.write(np.zeros((ring.buffer_size * 2, 2), "i2"))
                    assert 0 <= written <= ring.buffer_size
        finally:
            os.close(fd)
        ring.drop()


def test_a_control_device_is_no_pcm(device: dict[str, Any]) -> None:
    with alsamm.PCM(device["playback"], "playback") as pcm:
        node = Path(node_of(pcm))
    card = node.name.removeprefix("pcmC").partition("D")[0]
    fd = os.open(node.parent / f"controlC{card}", os.O_RDWR)
    takers: list[Callable[[int], Any]] = [alsamm.Status.from_fd, alsamm.Control.from_fd, alsamm.SyncPtrStatus.sync_ptr]
    try:
        for take in takers:
            with pytest.raises(alsamm.UnsupportedError, match="is no PCM"):
                take(fd)
    finally:
        os.close(fd)


# ---- lifetimes ----


def test_openings_leave_nothing(device: dict[str, Any]) -> None:
    def open_and_close(number: int) -> None:
        with opened(device) as pcm, alsamm.MmapPlayback(pcm, force_sync_ptr=bool(number % 2)) as ring:
            ring.write(BLOCK)
            if number % 3:
                ring.drop()
            if number % 5 == 0:
                pcm.close()

    def a_round() -> tuple[Left, Left]:
        before = count_left()
        for number in range(200):
            open_and_close(number)
        after = count_left()
        assert (after.fds, after.shared_maps, after.threads) == (before.fds, before.shared_maps, before.threads)
        return before, after

    for number in range(20):
        open_and_close(number)
    before, after = a_round()
    for _ in range(2):  # malloc takes a map of its own now and then; what openings leave grows with each round
        if after.maps != before.maps:
            before, after = a_round()
    assert after.maps == before.maps, "in each of three rounds"
    assert abs(after.blocks - before.blocks) < 400
    assert after.rss_bytes - before.rss_bytes < 1 << 20
