"""Mapped pages: samples and pointers move without a system call. Refused pages: by SYNC_PTR and nothing else."""

from __future__ import annotations

import collections
import ctypes
import os
import shutil
import subprocess
import warnings
from pathlib import Path

import numpy as np
import pytest

import alsamm
from alsamm.enums import Direction, Transport
from tests.contract.devices import Target, configure, make

ROUNDS = 1000
# How old an answer of SYNC_PTR is tells the clock, which on real machines is read without a system call.
CLOCKSOURCE = Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")
READ_WITHOUT_THE_KERNEL = {"tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "arch_sys_counter"}
PR_SET_PTRACER, PR_SET_PTRACER_ANY = 0x59616D61, -1


def rounds(name: str, ready: int, go: int) -> None:
    """Avail, write and avail, between two calls that nothing else makes, once the word is given."""
    ctypes.CDLL(None).prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY)  # where only a parent may trace
    device = make(name)
    with device.open(Direction.PLAYBACK) as pcm:
        configure(pcm, start_threshold="boundary", stop_threshold="boundary")
        with alsamm.MmapPlayback(pcm) as ring:
            block = np.zeros((4, 2), "i2")
            ring.write(block)
            ring.start()
            os.write(ready, b"x")
            os.read(go, 1)
            os.getppid()
            for _ in range(ROUNDS):  # a period service
                ring.avail()
                ring.write(block)
                ring.avail()
            os.getppid()
            ring.drop()


def forked_rounds(name: str, ready: int, go: int) -> int:
    """The rounds in a child: a new Python takes minutes to start where one is emulated and traced."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # numpy may have threads, which the child does not need
        child = os.fork()
    if child == 0:
        code = 1
        try:
            rounds(name, ready, go)
            code = 0
        finally:
            os._exit(code)
    return child


@pytest.mark.needs("playback")
def test_a_thousand_rounds_under_strace(device: Target, tmp_path: Path) -> None:
    strace = shutil.which("strace")
    assert strace, "strace is missing: tests/packages.txt names it"
    trace = tmp_path / "trace"
    to_us, to_child = os.pipe(), os.pipe()
    device.close()
    child = forked_rounds(device.name, to_us[1], to_child[0])
    try:
        os.close(to_us[1])
        assert os.read(to_us[0], 1) == b"x", "the child died"
        with subprocess.Popen(
            [strace, "-o", str(trace), "-p", str(child)], stderr=subprocess.PIPE, text=True
        ) as watcher:
            assert watcher.stderr
            assert "attached" in watcher.stderr.readline()
            os.write(to_child[1], b"x")
            watcher.communicate()
    finally:
        for fd in (*to_child, to_us[0]):
            os.close(fd)
        _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    lines = trace.read_text().splitlines()
    first, last = (n for n, line in enumerate(lines) if "getppid(" in line)
    calls = collections.Counter(line.split("(")[0] for line in lines[first + 1 : last])
    if device.transports == (Transport.MAPPED, Transport.MAPPED):
        assert not calls
        return
    # A query, and a new appl_ptr, whose answer serves the second avail (unless the round took half a period, as a few
    # do on an emulated machine that is traced). A software card answers ioctls in this process and only has to look
    # whether the descriptor is its own.
    name = "ioctl" if device.card is None else "fstat" if "fstat" in calls else "newfstatat"
    assert 2 * ROUNDS <= calls.pop(name) <= 2.2 * ROUNDS
    if CLOCKSOURCE.read_text().strip() not in READ_WITHOUT_THE_KERNEL:
        calls.pop("clock_gettime", 0)
    assert not calls
    if device.card is None:
        assert all("SYNC_PTR" in line or "clock_gettime" in line for line in lines[first + 1 : last])
