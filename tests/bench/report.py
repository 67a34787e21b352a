"""Tables in Markdown, plots in SVG, and what machine it was. Nothing here knows what was measured."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

__all__ = ["ACCENT", "OTHER", "Bar", "Curve", "bars", "curves", "draw", "machine", "table"]

INK = "#7d8590"  # legible on white and on black; the ground is transparent
ACCENT = "#2f81f7"
OTHER = "#db6d28"
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "alsamm",  # else every run makes new ids
    "font.family": "sans-serif",
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}


# ---- text ----


def table(heading: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Sequence[int] = ()) -> str:
    """A Markdown table, its columns aligned in the text too; ``numbers`` are the columns that stand to the right."""
    cells = [list(heading), *(list(row) for row in rows)]
    widths = [max(3, *(len(row[column]) for row in cells)) for column in range(len(heading))]
    rule = ["-" * (width - 1) + ":" if column in numbers else "-" * width for column, width in enumerate(widths)]
    lines = [
        " | ".join(
            cell.rjust(width) if column in numbers else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in (cells[0], rule, *cells[1:])
    ]
    return "\n".join(f"| {line} |" for line in lines)


def machine(packages: Sequence[str] = ("cffi", "numpy")) -> list[tuple[str, str]]:
    """Processor, system and versions, as pairs of what and which."""
    processor = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.machine(),
    )
    return [
        ("processor", f"{processor}, {len(os.sched_getaffinity(0))} of them"),
        ("kernel", f"{platform.system()} {platform.release()} {platform.machine()}"),
        ("Python", f"{platform.python_implementation()} {platform.python_version()}, {platform.python_compiler()}"),
        ("gcc", _said("gcc", "-dumpfullversion")),
        *((package, importlib.metadata.version(package)) for package in packages),
        ("alsamm", f"{importlib.metadata.version('alsamm')}, {_said('git', 'describe', '--always', '--dirty')}"),
    ]


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


def _said(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


# ---- plots ----


@dataclass(frozen=True)
class Bar:
    label: str
    value: float
    text: str
    color: str = ACCENT


@dataclass(frozen=True)
class Curve:
    """Points, and a line through them."""

    label: str
    x: Sequence[float]
    y: Sequence[float]
    line: Sequence[float]
    color: str


def draw(path: Path, width: float, height: float, *panels: Callable[[Axes], None]) -> None:
    """Panels side by side; sizes in inches. The same figures give the same file."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(width, height))
        for number, panel in enumerate(panels, 1):
            panel(figure.add_subplot(1, len(panels), number))
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    # matplotlib leaves blanks at line ends
    path.write_text("\n".join(line.rstrip() for line in path.read_text().splitlines()) + "\n")


def bars(
    title: str, unit: str, content: Sequence[Bar], *, limit: float | None = None, labels: bool = True
) -> Callable[[Axes], None]:
    """Lying bars on a logarithmic scale, the first on top; ``limit`` is a line across them."""

    def panel(axes: Axes) -> None:
        ends = [bar.value for bar in content if bar.value > 0] + ([] if limit is None else [limit])
        low, places = min(ends) / 2, range(len(content))
        lengths = [max(bar.value, low) - low for bar in content]
        axes.barh(places, lengths, left=low, color=[bar.color for bar in content], height=0.6)
        axes.set_xscale("log")
        axes.set_xlim(low, max(ends) * 3)
        axes.xaxis.set_major_formatter("{x:g}")
        for place, bar in zip(places, content, strict=True):
            axes.annotate(bar.text, (max(bar.value, low), place), (4, 0), textcoords="offset points", va="center")
        axes.set_yticks(places, [bar.label for bar in content] if labels else [""] * len(content))
        axes.tick_params(axis="y", length=0)
        axes.invert_yaxis()
        if limit is not None:
            axes.axvline(limit, color=INK, linestyle="--", linewidth=1)
        axes.set_xlabel(unit)
        axes.set_title(title, loc="left")

    return panel


def curves(title: str, across: str, up: str, content: Sequence[Curve], *, log: bool) -> Callable[[Axes], None]:
    """Points with their lines, both scales logarithmic or neither."""

    def panel(axes: Axes) -> None:
        for curve in content:
            axes.plot(curve.x, curve.y, "o", color=curve.color, markersize=4, label=curve.label)
            axes.plot(curve.x, curve.line, "-", color=curve.color, linewidth=1)
        if log:
            axes.set_xscale("log", base=2)
            axes.set_yscale("log")
        else:
            axes.set_ylim(bottom=0)
        axes.set_xlabel(across)
        axes.set_ylabel(up)
        axes.set_title(title, loc="left")
        axes.legend()

    return panel
