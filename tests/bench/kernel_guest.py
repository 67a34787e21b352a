"""The part of ``make bench-kernel`` that runs in the guest: play each subject, measure it from outside, write JSON."""

from __future__ import annotations

import argparse
import importlib
import json
import mmap
import os
import platform
import signal
import subprocess
import time
import traceback
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

import alsamm
from tests.bench.kernel_subjects import CHANNELS, FORMAT, RATE, SUBJECTS, Job, Subject, tone
from tests.bench.kernel_trace import Tracer, threads_of

RESULTS = "bench-kernel.json"
# aloop's clock is the kernel's tick: it moves up to 384 frames at a time, which must be much less than the ring.
PERIODS = {"dummy": 4, "aloop": 16}
_STREAMS = 3
_SOUND_SECONDS = 6
_WARM_SECONDS = 0.5
_TRACE_SECONDS = 0.5
_PATIENCE_SECONDS = 20


class HarnessError(Exception):
    """A subject could not be measured."""


def _fields(path: Path) -> dict[str, str]:
    pairs = (line.partition(":") for line in path.read_text().splitlines())
    return {name.strip(): text.strip() for name, _, text in pairs}


@dataclass(frozen=True)
class _Mark:
    """What a process has used and played up to now."""

    at_ns: int
    cpu_ns: int
    wakeups: int
    preemptions: int
    played: int
    started: str
    xruns: int

    @classmethod
    def of(cls, process: int, job: Job) -> _Mark:
        status = _fields(job.substream / "status")
        if "hw_ptr" not in status:
            raise HarnessError("the stream was closed")
        tasks = [_fields(Path(f"/proc/{process}/task/{task}/status")) for task in threads_of(process)]
        return cls(
            time.monotonic_ns(),
            # The kernel's clock of another process's CPU time (CPUCLOCK_SCHED), which counts nanoseconds, not ticks.
            time.clock_gettime_ns((~process << 3) | 2),
            sum(int(task["voluntary_ctxt_switches"]) for task in tasks),
            sum(int(task["nonvoluntary_ctxt_switches"]) for task in tasks),
            int(status["hw_ptr"]),
            status["trigger_time"],
            job.xruns[0] + job.complaints.read_text().count("underrun"),
        )


def _wait_until_running(process: int, substream: Path) -> None:
    end = time.monotonic() + _PATIENCE_SECONDS
    while "RUNNING" not in (substream / "status").read_text():
        if os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            raise HarnessError("it ended before it played")
        if time.monotonic() > end:
            raise HarnessError("it never played")
        time.sleep(0.05)


def _start(subject: Subject, job: Job) -> int:
    process = os.fork()
    if process == 0:
        try:
            subject.play(job)
        except BaseException:  # noqa: BLE001 -- nothing of the parent may run here
            traceback.print_exc()
        finally:
            os._exit(1)
    return process


def _observe(process: int, job: Job, seconds: float, tracer: Tracer) -> dict[str, Any]:
    time.sleep(_WARM_SECONDS)
    before = _Mark.of(process, job)
    time.sleep(seconds)
    after = _Mark.of(process, job)
    hw, sw = _fields(job.substream / "hw_params"), _fields(job.substream / "sw_params")
    trace = tracer.watch(process, _TRACE_SECONDS)
    if (hw["format"], hw["channels"], hw["rate"].split()[0]) != (FORMAT, str(CHANNELS), str(RATE)):
        raise HarnessError(f"it plays {hw}")
    took = (after.at_ns - before.at_ns) / 1e9
    cpu_ms = (after.cpu_ns - before.cpu_ns) / 1e6 / took
    return {
        "cpu_ms": cpu_ms,
        "user_ms": min(trace.user_ns / 1e6, cpu_ms),
        "wakeups": (after.wakeups - before.wakeups) / took,
        "preemptions": (after.preemptions - before.preemptions) / took,
        "calls": trace.calls,
        "played": (after.played - before.played) / took,
        # Who restarts without telling is found out by the kernel's time of the start.
        "xruns": max(after.xruns - before.xruns, int(after.started != before.started)),
        "access": hw["access"],
        "period_size": int(hw["period_size"]),
        "buffer_size": int(hw["buffer_size"]),
        "avail_min": int(sw["avail_min"]),
        "threads": len(threads_of(process)),
    }


@contextmanager
def _playing(subject: Subject, job: Job) -> Generator[int]:
    process = _start(subject, job)
    try:
        _wait_until_running(process, job.substream)
        yield process
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)


def _fetch(subject: Subject, job: Job) -> None:
    """Have in memory what it needs: while it waits for the host's files the guest's time leaps."""
    with _playing(subject, job):
        time.sleep(1)


def _stream(subject: Subject, job: Job, seconds: float, tracer: Tracer) -> dict[str, Any]:
    with _playing(subject, job) as process:
        return _observe(process, job, seconds, tracer)


def _measure(subject: Subject, job: Job, seconds: float, tracer: Tracer) -> dict[str, Any]:
    """The middle one of some streams."""
    rows = sorted((_stream(subject, job, seconds, tracer) for _ in range(_STREAMS)), key=lambda row: row["cpu_ms"])
    all_cpu_ms = [row["cpu_ms"] for row in rows]
    return rows[_STREAMS // 2] | {"all_cpu_ms": all_cpu_ms, "xruns": sum(row["xruns"] for row in rows)}


def _say(subject: Subject, row: dict[str, Any]) -> None:
    calls = ", ".join(f"{count:.0f} {name}" for name, count in row["calls"].items() if count >= 1)
    least, *_, most = row["all_cpu_ms"]
    print(
        f"{row['device']:5} {row['asked_period']:4} frames, {subject.name:21} {row['cpu_ms']:7.3f} ms "
        f"({least:.3f} to {most:.3f}; {row['user_ms']:.2f} user), {row['xruns']} xruns; "
        f"{row['wakeups']:.0f} wake-ups, {calls}",
        flush=True,
    )


def _versions() -> dict[str, str]:
    sounddevice = importlib.import_module("sounddevice")
    aplay = subprocess.run(["aplay", "--version"], capture_output=True, text=True, check=True).stdout.split()
    return {
        "Linux": platform.release(),
        "Python": platform.python_version(),
        "numpy": np.__version__,
        "alsamm": alsamm.__version__,
        "aplay": aplay[2],
        "pyalsaaudio": version("pyalsaaudio"),
        "sounddevice": version("sounddevice"),
        "PortAudio": sounddevice.get_portaudio_version()[1].split(",")[0].removeprefix("PortAudio "),
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--periods", default="64,256,1024")
    parser.add_argument("--subjects", default=",".join(subject.key for subject in SUBJECTS))
    parser.add_argument("--seconds", type=float, default=2)
    return parser


def _rows(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    cards = json.loads(Path(os.environ["ALSAMM_LAB_DEVICES"]).read_text())
    chosen = [subject for subject in SUBJECTS if subject.key in arguments.subjects.split(",")]
    sound, folder = tone(_SOUND_SECONDS), Path("/dev/shm")
    (folder / "sound.raw").write_bytes(sound.tobytes())
    tracer = Tracer()
    fetched: set[Subject] = set()
    for device, told in cards.items():
        for period in map(int, arguments.periods.split(",")):
            buffer = period * PERIODS[device]
            asked = {"device": device, "asked_period": period, "asked_buffer": buffer}
            for subject in chosen:
                complaints = folder / f"{device}-{period}-{subject.key}"
                complaints.touch()
                xruns = memoryview(mmap.mmap(-1, mmap.PAGESIZE)).cast("q")
                job = Job(told["card"], period, buffer, sound, folder / "sound.raw", xruns, complaints)
                try:
                    if subject not in fetched:
                        _fetch(subject, job)
                        fetched.add(subject)
                    row = asked | {"subject": subject.key} | _measure(subject, job, arguments.seconds, tracer)
                except HarnessError as error:
                    said = complaints.read_text()
                    raise SystemExit(f"{job.device} {period} {subject.name}: {error}\n{said}") from None
                _say(subject, row)
                yield row


def main() -> None:
    arguments = _parser().parse_args()
    # khugepaged, copying two megabytes at a stretch, takes the one CPU for longer than a short ring lasts.
    Path("/sys/kernel/mm/transparent_hugepage/enabled").write_text("never")
    versions = _versions()  # which loads what the subjects need, before they are forked
    importlib.import_module("alsaaudio")
    found = {"versions": versions, "seconds": arguments.seconds, "rows": list(_rows(arguments))}
    (Path(os.environ["ALSAMM_LAB_RESULTS"]) / RESULTS).write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
