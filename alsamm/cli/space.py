"""What a PCM can do, as plain values that can be printed and are JSON."""

from __future__ import annotations

from typing import Any

import alsamm
from alsamm.alsalib.openers import holders
from alsamm.alsalib.quantity import QuantityName
from alsamm.cli.pages import pages_of
from alsamm.enums import Direction

__all__ = ["interval", "short", "space_of", "who_holds"]

USUAL_RATES = (8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 88_200, 96_000, 176_400, 192_000)
_MOST = 8
_QUANTITIES: tuple[QuantityName, ...] = (
    "channels",
    "rate",
    "period_size",
    "period_time_us",
    "periods",
    "buffer_size",
    "buffer_time_us",
)


def space_of(pcm: alsamm.PCM) -> dict[str, Any]:
    """The space of configurations: intervals as (least, most), and how its pages are reached.

    Raises AlsaError.
    """
    hw = alsamm.HwParams(pcm)
    space: dict[str, Any] = {
        "accesses": list(map(str, hw.accesses)),
        "formats": list(map(str, hw.formats)),
        "usual_rates": [rate for rate in USUAL_RATES if hw.allows(rate=rate)],
        "transport": pages_of(pcm).transport if pcm.is_kernel else "alsa-lib",
    }
    for name in _QUANTITIES:
        found = hw.range(name)
        space[name] = (found.min, found.max)
    return space


def short(space: dict[str, Any]) -> str:
    """What matters most, in a line."""
    channels = interval(space["channels"])
    return "; ".join((
        f"{channels} channel{'s' if channels != '1' else ''}",
        f"{interval(space['rate'])} Hz",
        _some(space["formats"]),
        space["transport"],
    ))  # fmt: skip


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return ", ".join(names[:_MOST]) + more


def interval(ends: tuple[int, int]) -> str:
    """In words."""
    return str(ends[0]) if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def who_holds(name: str, direction: Direction) -> list[dict[str, Any]]:
    """Who has the PCM open, as far as /proc/asound tells."""
    return [{"pid": pid, "program": program} for pid, program in holders(name, direction)]
