"""What a write is made of: the figures that ``make bench`` measured last."""

from __future__ import annotations

import re
from pathlib import Path

from docs.pictures.svg import ACCENT, FAINT, INK, OTHER, Drawing

__all__ = ["draw"]

BENCHMARKS = Path(__file__).parents[1] / "benchmarks" / "README.md"


def measured() -> dict[str, float]:
    """Nanoseconds of each part of a write of 256 stereo int16 frames, from the table."""
    text = BENCHMARKS.read_text()
    whole, call, _ = (float(each) for each in _row(text, "write of 256 frames")[:3])
    copy = float(_row(text.partition("### write 256")[2], "plain memcpy, in C")[0])
    return {"the method in Python": whole - call, "the call and the ring's rules": call - copy, "the copy itself": copy}


def _row(text: str, name: str) -> list[str]:
    found = re.search(rf"^\| {re.escape(name)} +\|(.*)\|$", text, re.MULTILINE)
    if found is None:
        raise LookupError(name)
    return [cell.strip() for cell in found[1].split("|")]


def draw() -> Drawing:
    """A bar, and what its parts are."""
    parts = measured()
    whole = sum(parts.values())
    drawing = Drawing(520, 190, "What a write of 256 frames is made of")
    drawing.text(20, 26, f"write of 256 stereo frames into a mapped ring: {whole:.0f} ns")
    x, scale = 20.0, 480 / whole
    for row, ((name, ns), colour) in enumerate(zip(parts.items(), (INK, OTHER, ACCENT), strict=True)):
        drawing.box(x, 44, ns * scale, 40, colour, fill=2 * FAINT)
        drawing.box(20, 104 + 26 * row, 14, 14, colour, fill=2 * FAINT)
        drawing.text(42, 116 + 26 * row, f"{name}: {ns:.0f} ns")
        x += ns * scale
    return drawing
