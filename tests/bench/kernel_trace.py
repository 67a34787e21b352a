"""What a process asks of the kernel, and how much of its time is its own, by the kernel's tracing of system calls.

The kernel's own division into user and system time is by ticks, 250 a second: too coarse for slices of microseconds,
and always at the same place in a period that fits a tick. So the time between the end of a system call and the
beginning of the next is taken for the program's.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_TRACING = Path("/sys/kernel/tracing")
_NUMBERS = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
_LINE = re.compile(r"-(?P<task>\d+) .* (?P<time>\d+): sys_(?P<what>enter|exit): NR (?P<number>-?\d+)")
_CALLS = 2_000


@dataclass(frozen=True)
class Trace:
    """``calls`` by name and ``user_ns``, both for a second."""

    calls: dict[str, float]
    user_ns: float


def threads_of(process: int) -> list[int]:
    return [int(entry.name) for entry in Path(f"/proc/{process}/task").iterdir()]


@contextmanager
def _traced(tasks: Sequence[int]) -> Generator[None]:
    (_TRACING / "trace").write_text("")
    (_TRACING / "set_event_pid").write_text(" ".join(map(str, tasks)))
    (_TRACING / "events/raw_syscalls/enable").write_text("1")
    try:
        yield
    finally:
        (_TRACING / "events/raw_syscalls/enable").write_text("0")
        (_TRACING / "set_event_pid").write_text("")


class Tracer:
    """Ready to watch processes. Its own cost is measured once and taken off."""

    def __init__(self) -> None:
        if not (_TRACING / "trace").exists():
            subprocess.run(["mount", "-t", "tracefs", "tracefs", str(_TRACING)], check=True)
        (_TRACING / "trace_clock").write_text("x86-tsc")  # under -icount shift=0 a tick is a nanosecond
        found = re.findall(r"^#define __NR_(\w+) (\d+)$", _NUMBERS.read_text(), re.MULTILINE)
        self._names = {int(number): name for name, number in found}
        plain = self._time_of_calls()
        with _traced([os.getpid()]):
            traced = self._time_of_calls()
        # Half of the cost of both events lies between them, the other half within the call.
        self._cost_ns = (traced - plain) / _CALLS / 2

    @staticmethod
    def _time_of_calls() -> float:
        started = time.process_time_ns()
        for _ in range(_CALLS):
            os.getppid()
        return time.process_time_ns() - started

    def watch(self, process: int, seconds: float) -> Trace:
        with _traced(threads_of(process)):
            started = time.monotonic()
            time.sleep(seconds)
            seconds = time.monotonic() - started
        calls: Counter[str] = Counter()
        user, left = 0.0, dict[str, int]()
        for found in map(_LINE.search, (_TRACING / "trace").read_text().splitlines()):
            if found is None:
                continue
            task, now = found["task"], int(found["time"])
            if found["what"] == "exit":
                left[task] = now
                continue
            number = int(found["number"])
            calls[self._names.get(number, str(number))] += 1
            if task in left:
                user += now - left[task] - self._cost_ns
        return Trace({name: count / seconds for name, count in calls.most_common()}, max(user, 0.0) / seconds)
