"""What is counted, not timed: system calls and Python objects."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tracemalloc
from collections import Counter
from collections.abc import Callable
from itertools import repeat
from pathlib import Path

import numpy as np
import pytest

from tests.bench import services
from tests.bench.contest import Benchmark
from tests.bench.stage import Stage, room_for

CALLS = 1_000


@pytest.mark.parametrize("transport", ["mapped", "sync-ptr"])
def test_system_calls(benchmark: Benchmark, transport: str, tmp_path: Path) -> None:
    """A software card answers SYNC_PTR in this process, and asks whose descriptor it is by a fstat that strace sees."""
    strace = shutil.which("strace")
    assert strace, "strace is missing: tests/packages.txt names it"
    trace = tmp_path / "trace"
    command = [strace, "-o", str(trace), sys.executable, "-m", "tests.bench.services", transport]
    benchmark.pedantic(lambda: subprocess.run(command, check=True), setup=lambda: None, rounds=1)
    lines = trace.read_text().splitlines()
    first, last = (number for number, line in enumerate(lines) if "getppid(" in line)
    calls = Counter(line.split("(")[0] for line in lines[first + 1 : last])
    benchmark.extra_info["system_calls"] = {
        "transport": transport,
        "services": services.SERVICES,
        "in_all": calls.total(),
        "names": dict(calls),
    }


def bytes_at_once(call: Callable[[], object]) -> int:
    """Bytes that Python's allocators gave out and that were held at one time during a call; the least of some calls."""
    found: list[int] = []
    before = peak = -1
    for _ in range(10):
        found.append(peak - before)
        # The numbers themselves are allocated too; from the second time on they take the place of the last ones.
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        call()
        peak = tracemalloc.get_traced_memory()[1]
    return min(found[3:])


@pytest.mark.parametrize("frames", [256, 4096])
def test_allocations(benchmark: Benchmark, stage: Stage, frames: int) -> None:
    write = stage.ring.write
    block = np.zeros((frames, 2), "i2")
    room_for(stage, frames)(2 * CALLS)

    def once() -> None:
        write(block)

    once()
    tracemalloc.start()
    try:
        assert bytes_at_once(lambda: None) == 0, "the measurement itself allocates"
        assert bytes_at_once(object) > 0
        in_a_call = bytes_at_once(once)
    finally:
        tracemalloc.stop()
    kept = sys.getallocatedblocks()  # twice, so that its own number is there before
    kept = sys.getallocatedblocks()
    for _ in repeat(None, CALLS):
        write(block)
    kept = sys.getallocatedblocks() - kept
    benchmark.pedantic(once, setup=lambda: None, rounds=10)
    benchmark.extra_info["allocations"] = {"frames": frames, "bytes_at_once": in_a_call, "blocks_kept": kept}
