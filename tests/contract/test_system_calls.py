"""Mapped pages: samples and pointers move without a system call. Refused pages: by SYNC_PTR and nothing else."""

from __future__ import annotations

import collections
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from alsamm.enums import Transport
from tests.contract.devices import Target
from tests.contract.rounds import ROUNDS


@pytest.mark.needs("playback")
def test_a_thousand_rounds_under_strace(device: Target, tmp_path: Path) -> None:
    strace = shutil.which("strace")
    assert strace, "strace is missing: tests/packages.txt names it"
    device.close()
    trace = tmp_path / "trace"
    command = [sys.executable, "-m", "tests.contract.rounds", device.name]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as rounds:
        assert rounds.stdin
        assert rounds.stdout
        assert rounds.stdout.readline() == "ready\n"
        watch = [strace, "-o", str(trace), "-p", str(rounds.pid)]
        with subprocess.Popen(watch, stderr=subprocess.PIPE, text=True) as watcher:
            assert watcher.stderr
            assert "attached" in watcher.stderr.readline()
            rounds.stdin.write("go\n")
            rounds.stdin.close()
            assert rounds.wait() == 0
            watcher.communicate()
    lines = trace.read_text().splitlines()
    first, last = (n for n, line in enumerate(lines) if "getppid(" in line)
    calls = collections.Counter(line.split("(")[0] for line in lines[first + 1 : last])
    if device.transports == (Transport.MAPPED, Transport.MAPPED):
        assert not calls
        return
    # avail and commit: a query; write: a query and a new appl_ptr. A software card answers ioctls in this process and
    # only has to look whether the descriptor is its own.
    name = "ioctl" if device.card is None else "fstat" if "fstat" in calls else "newfstatat"
    assert calls.pop(name) <= 4 * ROUNDS
    assert not calls
    if device.card is None:
        assert all("SYNC_PTR" in line for line in lines[first + 1 : last])
