"""What must hold, row by row. No time is a target: what one way costs against another in the same run, and counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.bench import names
from tests.bench.results import Results

__all__ = ["TARGETS", "Target"]

Measure = Callable[[Results], float | None]


@dataclass(frozen=True)
class Target:
    """``measure`` gives None where the run has nothing to say."""

    case: str
    at_most: float
    measure: Measure
    ratio: str = ""
    """What is divided by what, in a few words; empty for a count."""
    remark: Callable[[Results], str] = lambda _: ""

    def show(self, value: float) -> str:
        return f"{value:.3g}x" if self.ratio else f"{value:g}"

    def is_met(self, results: Results) -> bool | None:
        """None where it was not measured."""
        value = self.measure(results)
        return None if value is None else value <= self.at_most

    def cells(self, results: Results) -> tuple[str, str, str, str]:
        """Case, at most, measured, verdict."""
        value, limit = self.measure(results), self.show(self.at_most)
        if value is None:
            return self.case, limit, "-", "not measured"
        measured = f"{self.show(value)} {self.remark(results)}".rstrip()
        return self.case, limit, measured, "met" if self.is_met(results) else "**not met**"


def _ratio(contest: str, subject: str, peer: str) -> Measure:
    return lambda results: results.ratio(contest, subject, peer)


def _lost(results: Results) -> float | None:
    return results.services.get(names.SERVICES[0], {}).get("lost")


def _lost_beside(results: Results) -> str:
    ours, extension, stock = (results.services[name] for name in names.SERVICES)
    machine = f"; to the machine: {ours['lost_to_the_machine']:g}" if ours["lost_to_the_machine"] else ""
    return (
        f"of {ours['count']:g} (hand-written extension: {extension['lost']:g}; "
        f"stock cffi calls: {stock['lost']:g} of {stock['count']:g}{machine})"
    )


def _system_calls(transport: str) -> Measure:
    def measure(results: Results) -> float | None:
        counted = results.system_calls.get(transport)
        return None if counted is None else counted["in_all"] / counted["services"]

    return measure


def _bytes_allocated(results: Results) -> float | None:
    found = [max(one["bytes_at_once"], one["blocks_kept"]) for one in results.allocations]
    return max(found) if found else None


_SHORT, _LONG = names.write(256), names.write(4096)

_FLOAT_SHORT, _FLOAT_LONG = names.float32(256), names.float32(4096)

TARGETS = [
    Target(
        "`avail()` against a hand-written C extension's method",
        2.2,
        _ratio(names.POINTERS, names.AVAIL, names.AVAIL_HAND_WRITTEN),
        "avail : hand-written",
    ),
    Target(
        "`avail()` against the same method over a stock cffi call",
        0.6,
        _ratio(names.POINTERS, names.AVAIL, names.AVAIL_STOCK),
        "avail : stock cffi",
    ),
    Target(
        "`write` of 256 stereo int16 frames, the array of the last call, against the volatile loop",
        0.4,
        _ratio(_SHORT, names.LAST, names.VOLATILE),
        "write 256 : volatile loop",
    ),
    Target(
        "the same, a new array each time",
        1.2,
        _ratio(_SHORT, names.NEW, names.VOLATILE),
        "write 256, new : volatile loop",
    ),
    Target(
        "4096 frames, the array of the last call, against the volatile loop",
        0.08,
        _ratio(_LONG, names.LAST, names.VOLATILE),
        "write 4096 : volatile loop",
    ),
    Target(
        "the same, a new array each time",
        0.12,
        _ratio(_LONG, names.NEW, names.VOLATILE),
        "write 4096, new : volatile loop",
    ),
    Target(
        "4096 frames, the array of the last call, against plain memcpy",
        1.6,
        _ratio(_LONG, names.LAST, names.MEMCPY),
        "write 4096 : memcpy",
    ),
    Target(
        "256 frames, the array of the last call, against pyalsaaudio's `write` of it to `null`",
        0.5,
        _ratio(_SHORT, names.LAST, names.ALSAAUDIO_LAST),
        "write 256 : pyalsaaudio",
    ),
    Target(
        "the same, a new array each time",
        1.2,
        _ratio(_SHORT, names.NEW, names.ALSAAUDIO_NEW),
        "write 256, new : pyalsaaudio",
    ),
    Target(
        "256 frames against sounddevice's `write`",
        0.05,
        _ratio(_SHORT, names.LAST, names.SOUNDDEVICE),
        "write 256 : sounddevice",
    ),
    Target(
        "float32 into an int16 ring, 256 frames, against numpy's multiply, clip, cast and then `write`",
        0.06,
        _ratio(_FLOAT_SHORT, names.LAST, names.NUMPY),
        "float32, 256 : numpy",
    ),
    Target(
        "float32 into an int16 ring, 4096 frames, against memcpy of the same input",
        8,
        _ratio(_FLOAT_LONG, names.LAST, names.MEMCPY_INPUT),
        "float32, 4096 : memcpy",
    ),
    Target(
        "period services (`avail`, `write`, `avail`) that lose more than 1 ms to a busy Python thread",
        0,
        _lost,
        remark=_lost_beside,
    ),
    Target(
        "system calls in a period service, both pages mapped",
        0,
        _system_calls("mapped"),
    ),
    Target(
        "SYNC_PTR calls in a period service, both pages refused",
        2,
        _system_calls("sync-ptr"),
        remark=lambda _: "on a software card; on real kernels: tests/contract/test_system_calls.py, in the lab",
    ),
    Target("bytes that a repeated `write` allocates in Python", 0, _bytes_allocated),
]
