"""What is written beside a captured frame, and where it is heard: measured through a software card's cable."""

from __future__ import annotations

import numpy as np

import alsamm
from alsamm import sim
from docs.pictures.svg import ACCENT, FAINT, INK, OTHER, Drawing

__all__ = ["draw"]

PERIOD, BUFFER, SHOWN = 16, 64, 9


def measure() -> tuple[int, int, int]:
    """The frame beside which a click was written, the frame in which it was captured, and what ``offset`` says."""
    turn_of_click, written, captured = 1, 0, 0
    with sim.Card("cable", clock="auto", loop=True) as card, alsamm.duplex(
        card.device, channels=1, period_size=PERIOD, buffer_size=BUFFER
    ) as io:  # fmt: skip
        for turn, (heard, played) in enumerate(io.periods(SHOWN)):
            played[:] = 0
            if turn == turn_of_click:
                played[0] = 9_000
                written = turn * PERIOD
            if heard.any():
                captured = turn * PERIOD + int(np.flatnonzero(heard[:, 0])[0])
        return written, captured, io.offset


def draw() -> Drawing:
    """Two strips of periods, one above the other, and an arrow from the one to the other."""
    written, captured, offset = measure()
    drawing = Drawing(520, 220, "Captured and played periods with the offset between them")
    scale = 480 / (SHOWN * PERIOD)
    for row, (name, colour) in enumerate((("captured", OTHER), ("written beside them", ACCENT))):
        top = 44 + 84 * row
        drawing.text(500, top - 8, name, colour, anchor="end", strong=True)
        for period in range(SHOWN):
            drawing.box(20 + period * PERIOD * scale, top, PERIOD * scale, 34, colour, fill=FAINT / 2)
            drawing.text(20 + (period + 0.5) * PERIOD * scale, top + 22, str(period * PERIOD), anchor="middle")
    x = [20 + (frame + 1) * scale for frame in (written, captured)]
    drawing.line((x[0], 128), (x[0], 162), colour=ACCENT, width=4)
    drawing.line((x[1], 44), (x[1], 78), colour=OTHER, width=4)
    drawing.arrow((x[0], 126), (x[1], 81), colour=INK)
    drawing.line((x[0], 166), (x[0], 190), dashed=True)
    drawing.line((x[1], 82), (x[1], 190), dashed=True)
    drawing.arrow((x[0], 182), (x[1], 182), both=True)
    drawing.text((x[0] + x[1]) / 2, 206, f"offset: {offset} frames", anchor="middle", strong=True)
    if captured - written != offset:
        raise AssertionError((written, captured, offset))
    return drawing
