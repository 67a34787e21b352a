"""How full a buffer is over time, as a software card shows it: what is latency, and what is an underrun."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

import alsamm
from alsamm import sim
from docs.pictures.svg import ACCENT, FAINT, INK, OTHER, Drawing

__all__ = ["draw_latency", "draw_xrun"]

RATE, PERIOD, BUFFER, STEP = 48_000, 48, 192, 4
LEAVES, AWAY = 4, 6
"""After which period the program is busy elsewhere, and for how many."""


class Moment(NamedTuple):
    """What the ring holds at a frame's time; None while the card stands still."""

    frame: int
    queued: int | None


def measure() -> tuple[list[Moment], alsamm.Interruption]:
    """A program that writes a period whenever one was played, comes too late once, and goes on."""
    told: list[Moment] = []
    periods = 16
    with sim.Card("timing") as card, alsamm.playback(
        card.device, channels=1, period_size=PERIOD, buffer_size=BUFFER, on_xrun="raise"
    ) as out:  # fmt: skip
        block = np.zeros(PERIOD, "i2")
        out.write(np.zeros(BUFFER, "i2"))
        for now in range(0, periods * PERIOD, STEP):
            running = out.state == alsamm.State.RUNNING
            told.append(Moment(now, _queued(card.playback) if running else None))
            card.advance(STEP)
            away = LEAVES * PERIOD < now + STEP < (LEAVES + AWAY) * PERIOD
            if (now + STEP) % PERIOD or away:
                continue
            if out.state == alsamm.State.XRUN:
                out.recover()
            out.write_available(block)
        interruption = out.interruptions[0]
        out.drop()
    return told, interruption


def _queued(truth: sim.Substream) -> int:
    """By the hardware's own position, which the page tells only once a period."""
    return truth.appl_ptr - truth.hw_ptr - (truth.position - truth.hw_ptr) % BUFFER


def draw_xrun() -> Drawing:
    """The saw-tooth, and the gap in it."""
    moments, interruption = measure()
    drawing = Drawing(520, 300, "How full the buffer is over time, with an underrun")
    left, top, width, height = 50.0, 30.0, 450.0, 190.0
    across, down = width / (moments[-1].frame + STEP), height / (BUFFER * 1.05)

    def at(frame: float, queued: float) -> tuple[float, float]:
        return left + frame * across, top + height - queued * down

    runs: list[list[Moment]] = [[]]
    for moment in moments:
        if moment.queued is None:
            if runs[-1]:
                runs.append([])
        else:
            runs[-1].append(moment)
    begun, resumed = runs[0][-1].frame + STEP, runs[1][0].frame
    drawing.area(at(begun, 0), at(begun, BUFFER), at(resumed, BUFFER), at(resumed, 0), colour=OTHER)
    for run in runs:
        points = [at(moment.frame, moment.queued or 0) for moment in run]
        if run is runs[0]:
            points.append(at(begun, 0))
        drawing.area((points[0][0], top + height), *points, (points[-1][0], top + height))
        drawing.line(*points, colour=ACCENT, width=2)
    drawing.line((left, top), (left, top + height), (left + width, top + height))
    for queued in range(0, BUFFER + 1, PERIOD):
        drawing.text(left - 8, at(0, queued)[1] + 5, str(queued), anchor="end")
    for milliseconds in range(0, 16, 3):
        x, y = at(milliseconds * RATE / 1000, 0)
        drawing.text(x, y + 20, f"{milliseconds} ms", anchor="middle")
    drawing.text(left, top - 12, "frames in the buffer")
    away = at(LEAVES * PERIOD, 0)[0], at((LEAVES + AWAY) * PERIOD, 0)[0]
    y = top + height + 40
    drawing.arrow((away[0], y), (away[1], y), both=True)
    drawing.text((away[0] + away[1]) / 2, y + 20, "the program is elsewhere", anchor="middle")
    middle = (at(begun, 0)[0] + at(resumed, 0)[0]) / 2
    drawing.text(middle, top + 20, "XRUN", OTHER, anchor="middle", strong=True)
    drawing.text(at(resumed, 0)[0] + 6, at(0, 0)[1] - 10, f"{interruption.silence} of silence first")
    return drawing


def draw_latency() -> Drawing:
    """From a write to the ear: what is in the ring, what is behind it, and what only a cable can tell."""
    with sim.Card("delay", delay=64) as card, alsamm.playback(
        card.device, channels=1, period_size=64, buffer_size=256
    ) as out:  # fmt: skip
        out.write(np.zeros(256, "i2"))
        delay, ring = out.delay, BUFFER + 64
        out.drop()
    drawing = Drawing(520, 230, "From write to ear: ring, driver's queue, converter")
    parts = (("ring", ring, ACCENT), ("driver's queue", delay - ring, OTHER), ("converter, air", 48, INK))
    scale = 480 / sum(frames for _, frames, _ in parts)
    x = 20.0
    for name, frames, colour in parts:
        drawing.box(x, 70, frames * scale, 44, colour, fill=FAINT)
        if name == "ring":
            drawing.text(x + frames * scale / 2, 97, f"{name}: at most buffer_size, {frames}", anchor="middle")
        x += frames * scale
    queue = 20 + ring * scale, 20 + delay * scale
    drawing.text((queue[0] + queue[1]) / 2, 134, "driver's queue", OTHER, anchor="middle")
    drawing.text(510, 60, "converter, air", anchor="end")
    drawing.text(20, 60, "write", ACCENT, strong=True)
    drawing.arrow((20, 158), (queue[0], 158), colour=ACCENT, both=True)
    drawing.text(20, 178, "in the ring: buffer_size - room", ACCENT)
    drawing.arrow((20, 196), (queue[1], 196), colour=OTHER, both=True)
    drawing.text(20, 216, f"delay: {delay} frames, as the driver tells it", OTHER)
    drawing.arrow((20, 30), (500, 30), both=True)
    drawing.text(260, 22, "only a cable from output to input can tell", anchor="middle")
    return drawing
