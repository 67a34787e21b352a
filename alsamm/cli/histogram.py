"""How often which value came: as text, and as a picture."""

from __future__ import annotations

import importlib.util
import io
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import alsamm
from alsamm.cli.levels import FULL

__all__ = ["Bin", "as_svg", "as_text", "bins", "require_matplotlib"]

_MOST = 24
_FINEST = 0.01
_BAR = 40
_LEAST_BINS = 8
_INCHES = (8.0, 4.0)


class Bin(NamedTuple):
    """So many values of ``low`` or more and less than ``high``."""

    low: float
    high: float
    times: int


def bins(values: Sequence[float]) -> list[Bin]:
    """Bins of one width, 1, 2 or 5 times a power of ten, that has no more than two dozen of them; whole if values are.

    Centred on multiples of that width, so that numbers that are all but alike fall into one.
    """
    least, most = min(values), max(values)
    step = 1.0 if all(float(value).is_integer() for value in values) else _FINEST
    while (most - least) / step > _MOST:
        step *= 2.5 if f"{step:e}".startswith("2") else 2
    first, last = (math.floor(value / step + 0.5) for value in (least, most))
    counts = [0] * (last - first + 1)
    for value in values:
        counts[math.floor(value / step + 0.5) - first] += 1
    return [Bin((first + n - 0.5) * step, (first + n + 0.5) * step, count) for n, count in enumerate(counts)]


def as_text(values: Sequence[float]) -> list[str]:
    """A line for each bin, labelled by its middle."""
    found = bins(values)
    places = 0 if found[0].high - found[0].low >= 1 else 2
    labels = [f"{(each.low + each.high) / 2:.{places}f}" for each in found]
    width = max(map(len, labels))
    most = max(each.times for each in found)
    return [
        f"{label:>{width}} {FULL * math.ceil(each.times / most * _BAR)}{' ' if each.times else ''}{each.times or ''}"
        for label, each in zip(labels, found, strict=True)
    ]


def require_matplotlib() -> None:
    """Raise UnsupportedError where it is missing (extra ``cli``)."""
    if importlib.util.find_spec("matplotlib") is None:
        raise alsamm.UnsupportedError(
            "the report's picture needs matplotlib: pip install 'alsamm[cli]'; without --report there is one in text"
        )


def as_svg(values: Sequence[float], *, rate: int, marks: dict[str, float]) -> str:
    """A picture of round trips in frames, with milliseconds above; ``marks``: what was advertised, as lines.

    Raises UnsupportedError without matplotlib.
    """
    require_matplotlib()
    from matplotlib import rc_context  # noqa: PLC0415 -- an extra, imported only where it is used
    from matplotlib.figure import Figure  # noqa: PLC0415

    found = bins(values)
    # Figure's own types are unknown to pyright, and mypy follows them into what they are not sure of.
    figure: Any = Figure(figsize=_INCHES, layout="constrained")
    axes: Any = figure.add_subplot()
    step = found[0].high - found[0].low
    middles = [(each.low + each.high) / 2 for each in found]
    axes.bar(middles, [each.times for each in found], width=step * 0.9, color="#4878a8")
    for (name, frames), colour, line in zip(marks.items(), ("#c44e52", "#dd8452"), ("--", ":"), strict=False):
        axes.axvline(frames, color=colour, linestyle=line, linewidth=2, label=f"{name}: {frames:g}")
    axes.set_xlabel("round trip (frames)")
    axes.set_ylabel("runs")
    axes.ticklabel_format(useOffset=False, style="plain")
    axes.yaxis.get_major_locator().set_params(integer=True)
    least, most = (end(middles + list(marks.values())) for end in (min, max))
    # Nor is one bar alone all there is to see.
    room = max(step, (_LEAST_BINS * step - (most - least)) / 2, 0.1 * (most - least))
    axes.set_xlim(least - room, most + room)
    if step >= 1:
        axes.xaxis.get_major_locator().set_params(integer=True)
    if marks:
        figure.legend(loc="outside lower center", ncols=len(marks))

    def to_ms(frames: Any) -> Any:
        return frames / rate * 1000

    def to_frames(millis: Any) -> Any:
        return millis * rate / 1000

    above = axes.secondary_xaxis("top", functions=(to_ms, to_frames))
    above.set_xlabel("ms")
    above.ticklabel_format(useOffset=False, style="plain")
    drawn = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "alsamm"}):
        figure.savefig(drawn, format="svg", metadata={"Date": None})
    return drawn.getvalue()
