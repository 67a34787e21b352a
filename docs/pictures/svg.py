"""A drawing in SVG, the same bytes every time; its colours are legible on white and on black."""

from __future__ import annotations

import math
from typing import Literal
from xml.sax.saxutils import escape

__all__ = ["ACCENT", "FAINT", "INK", "OTHER", "Anchor", "Drawing"]

INK = "#7d8590"
ACCENT = "#2f81f7"
OTHER = "#db6d28"
FAINT = 0.25
"""The opacity of what is behind."""

Anchor = Literal["start", "middle", "end"]


class Drawing:
    """Shapes on a ground of ``width`` times ``height``, which is transparent. ``title`` is for those who cannot see."""

    def __init__(self, width: int, height: int, title: str) -> None:
        self._head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            f'role="img" font-family="system-ui, sans-serif" font-size="14">\n<title>{escape(title)}</title>'
        )
        self._shapes: list[str] = []

    def __str__(self) -> str:
        return "\n".join([self._head, *self._shapes, "</svg>", ""])

    def box(self, x: float, y: float, width: float, height: float, colour: str = INK, *, fill: float = 0.0) -> None:
        """A rectangle with round corners; ``fill`` is the opacity of its inside."""
        self._shape(
            f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}" rx="4" stroke="{colour}" '
            f'fill="{colour}" fill-opacity="{_n(fill)}"/>'
        )

    def line(self, *points: tuple[float, float], colour: str = INK, width: float = 1.5, dashed: bool = False) -> None:
        """A line through points."""
        dash = ' stroke-dasharray="4 4"' if dashed else ""
        self._shape(
            f'<path d="{_path(points)}" stroke="{colour}" stroke-width="{_n(width)}" fill="none"{dash} '
            f'stroke-linejoin="round"/>'
        )

    def area(self, *points: tuple[float, float], colour: str = ACCENT, fill: float = FAINT) -> None:
        """What points enclose."""
        self._shape(f'<path d="{_path(points)} Z" fill="{colour}" fill-opacity="{_n(fill)}"/>')

    def arrow(self, *points: tuple[float, float], colour: str = INK, width: float = 1.5, both: bool = False) -> None:
        """A line whose end, or both, has a head."""
        self.line(*points, colour=colour, width=width)
        self._head_at(points[-1], points[-2], colour)
        if both:
            self._head_at(points[0], points[1], colour)

    def _head_at(self, tip: tuple[float, float], before: tuple[float, float], colour: str) -> None:
        angle = math.atan2(tip[1] - before[1], tip[0] - before[0])
        wings = [(tip[0] - 9 * math.cos(angle + w), tip[1] - 9 * math.sin(angle + w)) for w in (0.4, -0.4)]
        self.area(tip, *wings, colour=colour, fill=1.0)

    def text(
        self, x: float, y: float, told: str, colour: str = INK, *, anchor: Anchor = "start", strong: bool = False
    ) -> None:
        """One line."""
        weight = ' font-weight="600"' if strong else ""
        place = f'x="{_n(x)}" y="{_n(y)}" text-anchor="{anchor}"'
        self._shape(f'<text {place} fill="{colour}"{weight}>{escape(told)}</text>')

    def _shape(self, shape: str) -> None:
        self._shapes.append(shape)


def _n(number: float) -> str:
    """To a hundredth: what two machines' last digits differ by is not drawn."""
    return f"{round(number, 2) + 0.0:g}"


def _path(points: tuple[tuple[float, float], ...]) -> str:
    return "M" + " L".join(f"{_n(x)} {_n(y)}" for x, y in points)
