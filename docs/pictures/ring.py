"""The ring and its pointers, as they stand on a software card that has turned once."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

import alsamm
from alsamm import sim
from docs.pictures.svg import ACCENT, FAINT, INK, OTHER, Drawing

__all__ = ["draw"]

PERIOD, BUFFER = 8, 32


class Pointers(NamedTuple):
    """What the ring told."""

    hw_ptr: int
    appl_ptr: int
    avail: int
    boundary: int
    spans: tuple[int, int]


def measure() -> Pointers:
    """Fill the ring, let some of it be played, and write some more, which begins at the ring's start again."""
    with sim.Card("ring") as card, alsamm.PCM(card.device, "playback") as pcm:
        pcm.setup(channels=1, period_size=PERIOD, buffer_size=BUFFER)
        with alsamm.MmapPlayback(pcm) as ring:
            ring.write(np.zeros(BUFFER, "i2"))
            card.advance(20)
            ring.hwsync()
            ring.write(np.zeros(PERIOD, "i2"))
            first, second = ring.data()
            told = Pointers(
                ring.hw_ptr,
                ring.appl_ptr,
                ring.avail(),
                ring.boundary,
                (first.frames, 0 if second is None else second.frames),
            )
            ring.drop()
            return told


def draw() -> Drawing:
    """The circle, and the line that it is a piece of."""
    at = measure()
    drawing = Drawing(520, 430, "The ring of frames with hw_ptr and appl_ptr, and the line of all frames")
    middle, inner, outer = (190.0, 150.0), 84.0, 122.0
    for frame in range(BUFFER):
        a, b = _angle(frame + 0.06), _angle(frame + 0.94)
        corners = [
            (middle[0] + r * math.sin(t), middle[1] - r * math.cos(t))
            for r, t in ((inner, a), (outer, a), (outer, b), (inner, b))
        ]
        held = (frame - at.hw_ptr) % BUFFER < at.appl_ptr - at.hw_ptr
        drawing.area(*corners, colour=ACCENT if held else INK, fill=0.8 if held else FAINT)
    for turn in range(0, BUFFER, PERIOD):
        t = _angle(turn)
        x, y = math.sin(t), -math.cos(t)
        drawing.line(*[(middle[0] + r * x, middle[1] + r * y) for r in (inner - 6, outer + 4)])
        drawing.text(middle[0] + 66 * x, middle[1] + 66 * y + 5, str(turn), anchor="middle")
    for name, pointer, colour in (("hw_ptr", at.hw_ptr, OTHER), ("appl_ptr", at.appl_ptr, ACCENT)):
        t = _angle(pointer)
        x, y = math.sin(t), -math.cos(t)
        drawing.arrow(*[(middle[0] + r * x, middle[1] + r * y) for r in (152, 124)], colour=colour, width=2.5)
        where = middle[0] + 166 * x, middle[1] + 158 * y + 5
        drawing.text(*where, name, colour, anchor="start" if x > 0 else "end", strong=True)
    for row, (colour, opacity, told) in enumerate(
        (
            (ACCENT, 0.8, f"written, not played: {BUFFER - at.avail}"),
            (INK, FAINT, f"room (avail): {at.avail}"),
        )
    ):
        drawing.area(*_square(328, 40 + 26 * row), colour=colour, fill=opacity)
        drawing.text(350, 52 + 26 * row, told)
    drawing.text(345, 240, f"periods of {PERIOD} frames,")
    drawing.text(345, 260, f"buffer_size {BUFFER}")
    _line(drawing, at)
    return drawing


def _line(drawing: Drawing, at: Pointers) -> None:
    """The pointers go on past the buffer's end; only their place in the ring is modulo buffer_size."""
    top, scale = 362.0, 5.6
    drawing.box(20, top, 3 * BUFFER * scale * 0.8, 22)
    x = [20 + pointer * scale * 0.8 for pointer in (at.hw_ptr, at.appl_ptr)]
    drawing.area((x[0], top), (x[1], top), (x[1], top + 22), (x[0], top + 22), colour=ACCENT, fill=0.8)
    for turn in range(4):
        mark = 20 + turn * BUFFER * scale * 0.8
        drawing.line((mark, top - 4), (mark, top + 28))
        drawing.text(mark, top + 44, str(turn * BUFFER), anchor="middle")
    drawing.arrow((x[0], top - 22), (x[0], top - 2), colour=OTHER, width=2.5)
    drawing.arrow((x[1], top - 22), (x[1], top - 2), colour=ACCENT, width=2.5)
    drawing.text(x[0], top - 26, f"hw_ptr {at.hw_ptr}", OTHER, anchor="end", strong=True)
    drawing.text(x[1], top - 26, f"appl_ptr {at.appl_ptr}", ACCENT, strong=True)
    power = at.boundary.bit_length() - 1
    drawing.text(456, top + 16, f"… 2^{power}")
    drawing.text(510, top - 26, "to boundary", anchor="end")


def _angle(frame: float) -> float:
    return 2 * math.pi * frame / BUFFER


def _square(x: float, y: float) -> list[tuple[float, float]]:
    return [(x, y), (x + 14, y), (x + 14, y + 14), (x, y + 14)]
