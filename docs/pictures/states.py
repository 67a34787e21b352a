"""The states of a PCM, and what leads from one to the other: tried on a software card."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import alsamm
from alsamm import sim
from docs.pictures.svg import ACCENT, FAINT, INK, OTHER, Anchor, Drawing

__all__ = ["draw"]

Step = tuple[str, str, str]
"""State, what was done, state."""

# Where each stands, and by which points the line of each step goes.
_PLACES = {
    "OPEN": (90, 40),
    "SETUP": (90, 290),
    "PREPARED": (90, 165),
    "RUNNING": (270, 165),
    "PAUSED": (485, 60),
    "XRUN": (485, 165),
    "SUSPENDED": (485, 270),
    "DRAINING": (270, 290),
    "DISCONNECTED": (485, 350),
}
_WIDTH, _HEIGHT = 132, 32
_LABELS: dict[Step, tuple[float, float, Anchor]] = {
    ("OPEN", "setup()", "PREPARED"): (98, 108, "start"),
    ("PREPARED", "start()", "RUNNING"): (180, 158, "middle"),
    ("RUNNING", "pause()", "PAUSED"): (410, 116, "start"),
    ("PAUSED", "pause(False)", "RUNNING"): (350, 96, "end"),
    ("RUNNING", "ran dry", "XRUN"): (378, 158, "middle"),
    ("XRUN", "prepare()", "PREPARED"): (150, 127, "middle"),
    ("RUNNING", "suspend", "SUSPENDED"): (352, 252, "end"),
    ("SUSPENDED", "resume()", "RUNNING"): (410, 216, "start"),
    ("RUNNING", "drain()", "DRAINING"): (264, 264, "end"),
    ("DRAINING", "all played", "SETUP"): (180, 326, "middle"),
    ("RUNNING", "drop()", "SETUP"): (168, 226, "end"),
    ("SETUP", "prepare()", "PREPARED"): (82, 240, "end"),
}


def measure() -> set[Step]:
    """Do each of them, and see which state it leaves."""
    seen: set[Step] = set()
    with sim.Card("states") as card, alsamm.PCM(card.device, "playback") as pcm:

        def do(what: str, call: Callable[..., Any], *arguments: Any) -> None:
            before = str(pcm.state)
            call(*arguments)
            seen.add((before, what, str(pcm.state)))

        do("setup()", lambda: pcm.setup(channels=1, period_size=16, buffer_size=64))
        with alsamm.MmapPlayback(pcm) as ring:

            def run() -> None:
                if pcm.state != alsamm.State.PREPARED:
                    do("prepare()", pcm.prepare)
                ring.write(np.zeros(64, "i2"))
                if pcm.state != alsamm.State.RUNNING:
                    ring.start()

            ring.write(np.zeros(16, "i2"))  # the threshold of one frame starts it: that is start()
            seen.add(("PREPARED", "start()", str(pcm.state)))
            do("pause()", pcm.pause)
            do("pause(False)", pcm.pause, False)
            do("ran dry", card.advance, 128)
            do("prepare()", pcm.prepare)
            run()
            do("suspend", card.suspend)
            card.resume_power()
            do("resume()", pcm.resume)
            card.suspend()
            card.resume_power()
            pcm.prepare()
            run()
            do("drop()", pcm.drop)
            run()
            _drain(pcm, card, seen)
            run()
            do("unplugged", card.unplug)
    return seen


def _drain(pcm: alsamm.PCM, card: sim.Card, seen: set[Step]) -> None:
    """Without waiting: entering it, and its end, are two steps."""
    before = str(pcm.state)
    try:
        pcm.drain(timeout=0)
    except TimeoutError:
        seen.add((before, "drain()", str(pcm.state)))
    draining = str(pcm.state)
    card.advance(256)
    pcm.status()
    seen.add((draining, "all played", str(pcm.state)))


def draw() -> Drawing:
    """Boxes, and a line for each step that was seen."""
    seen = measure()
    drawing = Drawing(560, 385, "The states of a PCM and what leads from one to the other")
    for before, what, after in sorted(seen):
        if after == "DISCONNECTED":
            continue  # from everywhere
        (x, y, anchor), colour = _LABELS[before, what, after], OTHER if after in ("XRUN", "SUSPENDED") else INK
        back = any((after, before) == (first, last) for first, _, last in seen)
        drawing.arrow(*_way(before, after, shifted=back), colour=colour)
        drawing.text(x, y, what, colour, anchor=anchor)
    for name, (x, y) in _PLACES.items():
        colour = ACCENT if name == "RUNNING" else OTHER if name in ("XRUN", "SUSPENDED", "DISCONNECTED") else INK
        drawing.box(x - _WIDTH / 2, y - _HEIGHT / 2, _WIDTH, _HEIGHT, colour, fill=FAINT / 2)
        drawing.text(x, y + 5, name, colour, anchor="middle", strong=True)
    drawing.text(410, 355, "unplugged:", OTHER, anchor="end")
    return drawing


def _way(before: str, after: str, *, shifted: bool) -> list[tuple[float, float]]:
    """From box to box; beside the line of the way back, where there is one."""
    if (before, after) == ("XRUN", "PREPARED"):  # around RUNNING
        return [(485, 149), (485, 134), (90, 134), (90, 149)]
    (ax, ay), (bx, by) = _PLACES[before], _PLACES[after]
    dx, dy = bx - ax, by - ay
    length = math.hypot(dx, dy)
    beside = (-8 * dy / length, 8 * dx / length) if shifted else (0.0, 0.0)
    return [_edge((ax, ay), beside, (dx, dy)), _edge((bx, by), beside, (-dx, -dy))]


def _edge(middle: tuple[float, float], beside: tuple[float, float], way: tuple[float, float]) -> tuple[float, float]:
    """Where a line that begins beside a box's middle leaves the box."""
    half = (_WIDTH / 2, _HEIGHT / 2)
    part = min((math.copysign(h, d) - b) / d for h, b, d in zip(half, beside, way, strict=True) if d)
    x, y = (m + b + d * part for m, b, d in zip(middle, beside, way, strict=True))
    return x, y
