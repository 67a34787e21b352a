"""docs/benchmarks/kernel.md and its plot, from what the guest found."""

from __future__ import annotations

import datetime as dt
import subprocess
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench import report
from tests.bench.kernel_subjects import BLOCKING, BY_BLOCK, HALF, RATE, SUBJECTS, Subject

__all__ = ["Results", "targets_table", "write"]

_TARGET_PERIOD = 64
_TARGETS = (("aplay-mmap", 1.0), ("pyalsaaudio", 0.5), ("sounddevice", 0.1), ("sounddevice-callback", 0.1))
_NAMES = {subject.key: subject.name for subject in SUBJECTS}
_OURS = (BLOCKING, HALF, BY_BLOCK)
_IN_TIME = 0.01

_HEAD = """# CPU time of a second of sound

Written by `make bench-kernel`; do not edit. Real drivers of Debian's kernel, in a QEMU guest whose time counts
instructions, one a nanosecond (`-icount shift=0`): with the same versions the figures repeat, whatever the machine and
however busy. Take them as ratios, for real processors need more than a nanosecond for some instructions, less for most.
"""

_METHOD = """## How it is measured

- Everybody plays S16_LE, 2 channels, 48 kHz with the same period and buffer, on snd-dummy (buffer of 4 periods; its
  clock is a high-resolution timer) and snd-aloop (16 periods; its clock is the kernel's tick of 4 ms, so that it moves
  up to 384 frames at a time, more than four short periods hold). The kernel's `hw_params` of each stream are compared
  with that. PortAudio is asked for the latency and the number of periods that make the same buffer.
- A subject plays for half a second. Before and after the seconds that count the kernel's CPU clock of the process with
  all its threads is read from outside (it counts nanoseconds, not ticks), and so are its context switches. Start-up is
  not in it. An interrupt that comes while nobody runs, as nearly all do, is charged to nobody.
- Of three such streams the middle one counts. Transparent huge pages are off, for the kernel's thread that makes them
  takes the one CPU for milliseconds at a time.
- User time is told apart in half a second more, traced: it is the time between system calls, less the tracing's own.
  The system calls are counted there too.
- Xruns are those the subject told, and one at least if the kernel's time of the stream's start has changed.
- The subjects in Python write one prepared block again and again. `aplay` reads a file in tmpfs, which is part of its
  cost.
- The guest has one CPU, without the flag that makes the kernel and the C library copy by `rep movsb`: under `-icount`
  that counts a nanosecond for each byte, and those who write by ioctl would pay for it.
"""


@dataclass(frozen=True)
class Results:
    """``rows`` by device, period and subject."""

    versions: dict[str, str]
    seconds: float
    rows: dict[tuple[str, int, str], dict[str, Any]]

    @classmethod
    def of(cls, told: dict[str, Any]) -> Results:
        rows = {(row["device"], row["asked_period"], row["subject"]): row for row in told["rows"]}
        return cls(told["versions"], told["seconds"], rows)

    @property
    def devices(self) -> list[str]:
        return list(dict.fromkeys(device for device, _, _ in self.rows))

    def periods(self, device: str) -> list[int]:
        return list(dict.fromkeys(period for at, period, _ in self.rows if at == device))

    def of_contest(self, device: str, period: int) -> list[tuple[Subject, dict[str, Any]]]:
        found = ((subject, self.rows.get((device, period, subject.key))) for subject in SUBJECTS)
        return [(subject, row) for subject, row in found if row is not None]

    def ratio(self, device: str, period: int, ours: str, other: str) -> float | None:
        """CPU time of ``ours`` as a part of the other's."""
        mine, theirs = self.rows.get((device, period, ours)), self.rows.get((device, period, other))
        return mine["cpu_ms"] / theirs["cpu_ms"] if mine and theirs else None

    @property
    def spread(self) -> float:
        """How far the streams of one subject were apart at most, as a part of the least."""
        return max(float(max(row["all_cpu_ms"]) / min(row["all_cpu_ms"])) for row in self.rows.values()) - 1

    def remarks(self) -> list[str]:
        """Where a stream was not what it should have been."""
        said: list[str] = []
        for (device, period, key), row in self.rows.items():
            who = f"{device}, {period} frames, {_NAMES[key]}"
            got = (row["period_size"], row["buffer_size"])
            if got != (row["asked_period"], row["asked_buffer"]):
                said.append(f"{who}: got a period of {got[0]} and a buffer of {got[1]} frames")
            if row["xruns"]:
                said.append(f"{who}: {row['xruns']} xruns")
            if abs(row["played"] / RATE - 1) > _IN_TIME:
                said.append(f"{who}: {row['played']:.0f} frames were played in a second")
        return said


def _times(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f}x"


def _judged(ratio: float | None, at_most: float) -> str:
    if ratio is None:
        return "not measured"
    return f"{ratio:.3f}x, {'met' if ratio <= at_most else 'not met'}"


def targets_table(results: Results) -> str:
    """64-frame periods only."""
    rows = [
        (
            device,
            _NAMES[other],
            f"{at_most}x",
            *(_judged(results.ratio(device, _TARGET_PERIOD, ours, other), at_most) for ours in _OURS),
        )
        for device in results.devices
        for other, at_most in _TARGETS
    ]
    return report.table(["", "against", "at most", *(_NAMES[ours] for ours in _OURS)], rows, numbers=[2])


def _bounds(results: Results) -> str:
    """What stands between a loop with a wake-up a period and the targets."""
    said: list[str] = []
    for device in results.devices:
        mine = results.rows.get((device, _TARGET_PERIOD, BLOCKING))
        if mine is not None:
            system = mine["cpu_ms"] - mine["user_ms"]
            said.append(
                f"on {device} {system:.2f} of blocking's {mine['cpu_ms']:.2f} ms are the kernel's, "
                f"for {mine['wakeups']:.0f} wake-ups"
            )
    return textwrap.fill(
        f"What bounds them: {'; '.join(said)}. Going to sleep and being woken costs everybody the same, so a loop that "
        "is woken every period cannot come far below another; one that is woken less often can. `avail_min` says how "
        "often: at half the ring it costs half the wake-ups, and leaves half the ring, rather than all of it but a "
        "period, for being late. That is the user's choice, so `write_all` wakes at a period unless told otherwise.",
        120,
    )


def _contest(results: Results, device: str, period: int) -> str:
    rows: list[tuple[str, ...]] = []
    for subject, row in results.of_contest(device, period):
        calls = ", ".join(f"{name} {count:.0f}" for name, count in row["calls"].items() if count >= 1)
        rows.append(
            (
                subject.name,
                f"{row['cpu_ms']:.3f}",
                f"{row['user_ms']:.2f}",
                f"{row['cpu_ms'] - row['user_ms']:.2f}",
                _times(results.ratio(device, period, BLOCKING, subject.key)),
                _times(results.ratio(device, period, BY_BLOCK, subject.key)),
                f"{row['wakeups']:.0f}",
                f"{row['preemptions']:.0f}",
                calls,
                str(row["xruns"]),
            )
        )
    heading = ["", "CPU, ms", "user", "system", "blocking is", "by block is", "wake-ups", "preempted", "calls", "xruns"]
    (sizes,) = {(row["asked_period"], row["asked_buffer"]) for _, row in results.of_contest(device, period)}
    title = f"### {device}, periods of {sizes[0]} frames, buffer {sizes[1]}"
    return f"{title}\n\n{report.table(heading, rows, numbers=[1, 2, 3, 4, 5, 6, 7, 9])}\n"


def _qemu() -> str:
    said = subprocess.run(["qemu-system-x86_64", "--version"], capture_output=True, text=True, check=True).stdout
    return said.splitlines()[0].removeprefix("QEMU emulator version ")


def _plot(results: Results, path: Path) -> None:
    panels = []
    for device in results.devices:
        content: list[report.Bar] = []
        for period in results.periods(device):
            if content:
                content.append(report.Bar("", 0, ""))
            for subject, row in results.of_contest(device, period):
                color = report.ACCENT if subject.name.startswith("alsamm") else report.OTHER
                label = f"{subject.name}, {period} frames"
                content.append(report.Bar(label, row["cpu_ms"], f"{row['cpu_ms']:.2f}", color))
        panels.append(report.bars(device, "ms of CPU time for a second of sound", content))
    report.draw(path, 12, 7, *panels)


def write(results: Results, folder: Path) -> None:
    """kernel.md and kernel.svg."""
    folder.mkdir(parents=True, exist_ok=True)
    _plot(results, folder / "kernel.svg")
    about = [
        ("command", "`make bench-kernel`"),
        ("date", dt.datetime.now(dt.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")),
        ("QEMU", f"{_qemu()}, TCG, `-icount shift=0`"),
        *results.versions.items(),
        (
            "seconds that count",
            f"{results.seconds:g} in each of three streams, which differ by {results.spread:.1%} at most",
        ),
    ]
    remarks = results.remarks() or ["Every stream had the period and the buffer asked for, kept time, and had no xrun."]
    parts = [
        _HEAD,
        report.table(["", ""], about),
        f"\n## Targets, {_TARGET_PERIOD}-frame periods\n",
        targets_table(results),
        f"\n{_bounds(results)}\n",
        "![CPU time of a second of sound, for each subject](kernel.svg)\n",
        "## CPU time of a second of sound\n",
        'All by the second. "blocking is", "by block is": what part of the row\'s CPU time that way of alsamm takes.\n',
        *(_contest(results, device, period) for device in results.devices for period in results.periods(device)),
        *(f"- {remark}" for remark in remarks),
        "\n## Who plays how\n",
        report.table(["", "how"], [(subject.name, subject.how) for subject in SUBJECTS]),
        f"\n{_METHOD}",
    ]
    (folder / "kernel.md").write_text("\n".join(parts).rstrip() + "\n")
