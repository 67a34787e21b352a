"""docs/benchmarks: the table of targets, every timing, the curves, and how it was done."""

from __future__ import annotations

import datetime as dt
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from alsamm.cli.turns import EMPTY
from tests.bench import names, report
from tests.bench.results import Results
from tests.bench.targets import TARGETS

__all__ = ["DOCS", "targets_table", "write"]

DOCS = Path(__file__).resolve().parents[2] / "docs" / "benchmarks"

_HEAD = """# Benchmarks

Written by `make bench`; do not edit. Times differ from machine to machine, and some from run to run: take the ratios.
All move the same samples into or out of the same ring, in ordinary memory (a software card's memfd), within one run.
"""

_KERNEL = "\nWhat whole streams cost on real kernels: [kernel.md](kernel.md), by `make bench-kernel`.\n"

_METHOD = """## How it is measured

- pytest-benchmark runs each contest in rounds. In a round every contestant has one turn of about a quarter of a
  millisecond, one after the other, so that a disturbed moment hits all of them. A figure is the median over the rounds,
  for one call.
- What Python calls is timed in a loop of its own, as `timeit` does it, and the time of an empty loop is taken off. What
  is marked "in C" loops in C; nothing is taken off. Reading is fed before each call; the feeding's time is taken off.
- The garbage collector is off. The ring has 8192 frames (32 KiB), so that caches hold it; for the curves each ring has
  128 KiB. The card's clock stands still: the bench moves hw_ptr, so that there is always room.
- "A new array each time" are 64 array objects in turn, over one memory. Arrays begin 16 bytes behind a cache line's
  start, where malloc, and so numpy, mostly puts them.
- A hand-written extension: `tests/bench/peers/peer.c`, a type with the same methods over the same pages, in C. A stock
  cffi call: alsamm's own C compiled anew without `gil.h`, called by a method like alsamm's.
- pyalsaaudio writes to alsa-lib's PCM `null`, which copies nothing. sounddevice's streams are on a PCM of the same type
  by another name, for PortAudio does not show `null`. `snd_pcm_mmap_writei` copies into the memory of `null`.
- Beside a busy thread: the default switch interval, and each service after a sleep, as it comes after a wait. One that
  takes more than 1 ms is lost to the GIL if the thread slept in it: without a system call that is all it can wait for.
  It is lost to the machine if the system took the processor away.
"""


@dataclass(frozen=True)
class _Fit:
    """Through all points of a contest, with the same weight for each in per cent."""

    x: list[float]
    y: list[float]
    start: float
    slope: float

    @classmethod
    def through(cls, results: Results, contest: str) -> _Fit | None:
        points = results.contests.get(contest, {})
        x = [float(name) for name in points if name.isdigit()]
        if not x:
            return None
        y = [points[f"{at:.0f}"].ns for at in x]
        matrix = np.array([[1 / ns, at / ns] for at, ns in zip(x, y, strict=True)])
        start, slope = np.linalg.lstsq(matrix, np.ones(len(x)), rcond=None)[0]
        return cls(x, y, float(start), float(slope))

    @property
    def line(self) -> list[float]:
        return [self.start + self.slope * at for at in self.x]

    @property
    def off(self) -> tuple[float, float]:
        """The points furthest below and above the line, as parts of it."""
        parts = [ns / fitted - 1 for ns, fitted in zip(self.y, self.line, strict=True)]
        return min(parts), max(parts)


_ORDER = [
    names.POINTERS,
    *(contest(frames) for contest in (names.write, names.float32, names.read) for frames in (256, 4096)),
    names.ITERATORS,
]
_CURVES = [
    ("frames", "i2", "int16 copied", report.ACCENT),
    ("frames", "f4", "float32 to int16", report.OTHER),
    ("channels", "i2", "int16 copied", report.ACCENT),
    ("channels", "f4", "float32 to int16", report.OTHER),
]


def targets_table(results: Results) -> str:
    """The one table that the command prints too."""
    return report.table(["case", "at most", "measured", ""], [target.cells(results) for target in TARGETS], numbers=[1])


def write(results: Results) -> None:
    """README.md and its plots."""
    _plot_targets(results)
    _plot_writes(results)
    fits = {(along, dtype): _Fit.through(results, names.growth(along, dtype)) for along, dtype, _, _ in _CURVES}
    _plot_growth(fits)
    about = [
        ("command", "`make bench`"),
        ("date", dt.datetime.now(dt.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")),
        *report.machine(["cffi", "numpy", "pytest-benchmark", "pyalsaaudio", "sounddevice"]),
        ("PortAudio", results.portaudio),
    ]
    parts = [
        _HEAD,
        report.table(["", ""], about),
        _KERNEL if (DOCS / "kernel.md").exists() else "",
        "## Targets\n",
        targets_table(results),
        "\n![each ratio as a part of what it may be](targets.svg)\n",
        _bounds(results),
        "## Growth\n",
        "What `write` costs with the array of the last call, and the straight line through the points.\n",
        _growth_table(fits),
        "\n![cost over frames and channels](growth.svg)\n",
        "## Every timing\n",
        "Nanoseconds a call: the median, and the quartiles around it.\n",
        "![who writes a block in what time](writes.svg)\n",
        *(_contest(name, results) for name in _ORDER),
        _services(results),
        _METHOD,
    ]
    (DOCS / "README.md").write_text("\n".join(parts))


def _bounds(results: Results) -> str:
    """What stands between the rows that are missed and their targets, in figures of the same run."""

    def ns(contest: str, name: str) -> float:
        return results.contests[contest][name].ns

    short, long = names.write(256), names.write(4096)
    avail = [ns(names.POINTERS, name) for name in (names.AVAIL, names.AVAIL_CALL, names.AVAIL_HAND_WRITTEN)]
    rows: list[tuple[str, ...]] = [("avail()", *(f"{value:.1f}" for value in avail), "", "")]
    for title, contest in (("write of 256 frames", short), ("write of 4096 frames", long)):
        ours, call, peer = (ns(contest, name) for name in (names.LAST, names.WRITE_CALL, names.HAND_WRITTEN))
        volatile, memcpy = (peer / ns(contest, name) for name in (names.VOLATILE, names.MEMCPY))
        rows.append((title, *(f"{value:.1f}" for value in (ours, call, peer)), f"{volatile:.3g}x", f"{memcpy:.3g}x"))
    heading = ["ns", "alsamm", "of it the cffi call", "hand-written extension", "to the volatile loop", "to memcpy"]
    empty = ns(names.POINTERS, names.METHOD)
    said = textwrap.fill(
        f"What bounds the rows that are not met: a method written in Python takes {empty:.0f} ns here before it does "
        "anything, and each line in it some more; the call into C within it is no slower, for a write, than that of a "
        "hand-written extension type. Such a type would spare the method, and would be no cffi any more. The two last "
        "columns are the extension's own ratios.",
        120,
    )
    return f"{said}\n\n{report.table(heading, rows, numbers=range(1, 6))}\n"


def _contest(contest: str, results: Results) -> str:
    rows = [
        (name, f"{timing.ns:,.1f}", f"{timing.low:,.1f} - {timing.high:,.1f}")
        for name, timing in results.contests[contest].items()
    ]
    return f"### {contest}\n\n{report.table(['', 'ns', 'quartiles'], rows, numbers=[1, 2])}\n"


def _services(results: Results) -> str:
    rows = [
        (name, f"{told['count']:g}", f"{told['lost']:g}", f"{told['lost_to_the_machine']:g}",
         f"{told['p99_ns'] / 1000:,.1f}", f"{told['worst_ns'] / 1000:,.1f}")
        for name, told in results.services.items()
    ]  # fmt: skip
    heading = ["", "services", "lost to the GIL", "lost to the machine", "99 % within, us", "worst, us"]
    return f"### period services beside a busy thread\n\n{report.table(heading, rows, numbers=range(1, 6))}\n"


def _growth_table(fits: dict[tuple[str, str], _Fit | None]) -> str:
    rows: list[tuple[str, ...]] = []
    for along, dtype, label, _ in _CURVES:
        fit = fits[along, dtype]
        if fit is not None:
            low, high = fit.off
            span = f"{min(fit.x):g} to {max(fit.x):g} {along}"
            rows.append((label, span, f"{fit.start:.1f}", f"{fit.slope:.4g}", f"{low:+.0%}", f"{high:+.0%}"))
    heading = ["", "", "ns at 0", "ns for each more", "furthest below the line", "furthest above"]
    return report.table(heading, rows, numbers=range(2, 6))


def _plot_growth(fits: dict[tuple[str, str], _Fit | None]) -> None:
    def content(along: str) -> list[report.Curve]:
        return [
            report.Curve(label, fit.x, fit.y, fit.line, color)
            for way, dtype, label, color in _CURVES
            if way == along and (fit := fits[way, dtype]) is not None
        ]

    report.draw(
        DOCS / "growth.svg",
        8,
        3.2,
        report.curves("2 channels", "frames in a write", "ns", content("frames"), log=True),
        report.curves("256 frames", "channels", "ns", content("channels"), log=False),
    )


def _plot_targets(results: Results) -> None:
    content: list[report.Bar] = []
    for target in TARGETS:
        value = target.measure(results)
        if target.ratio and value is not None:
            text = f"{target.show(value)} of {target.show(target.at_most)}"
            color = report.ACCENT if target.is_met(results) else report.OTHER
            content.append(report.Bar(target.ratio, value / target.at_most, text, color))
    panel = report.bars("Each ratio, as a part of what it may be", "less is better", content, limit=1)
    report.draw(DOCS / "targets.svg", 7, 0.27 * len(content) + 1, panel)


def _plot_writes(results: Results) -> None:
    def panel(frames: int, *, labels: bool) -> Callable[[Axes], None]:
        content = [
            report.Bar(name, timing.ns, f"{timing.ns:,.0f}", report.ACCENT if name in names.OURS else report.OTHER)
            for name, timing in results.contests.get(names.write(frames), {}).items()
            if name != EMPTY
        ]
        return report.bars(f"{frames} stereo frames", "ns a call", content, labels=labels)

    report.draw(DOCS / "writes.svg", 9.5, 3.8, panel(256, labels=True), panel(4096, labels=False))
