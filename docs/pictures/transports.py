"""Which page goes by which road, as software cards like three machines tell it."""

from __future__ import annotations

import alsamm
from alsamm import Transport, sim
from docs.pictures.svg import ACCENT, FAINT, OTHER, Drawing

__all__ = ["draw"]

MACHINES = {
    "x86-64, built-in card": {},
    "x86-64, USB playback": {"refuse_control": True},
    "ARM, any card": {"refuse_status": True, "refuse_control": True},
}


def measure() -> dict[str, alsamm.Transports]:
    """Map a ring on each."""
    told: dict[str, alsamm.Transports] = {}
    for name, refusals in MACHINES.items():
        with sim.Card("roads", **refusals) as card, alsamm.PCM(card.device, "playback") as pcm:  # type: ignore[arg-type]
            pcm.setup(channels=1, period_size=16, buffer_size=64)
            with alsamm.MmapPlayback(pcm) as ring:
                told[name] = ring.transport
    return told


def draw() -> Drawing:
    """A row for each machine: what the program and the kernel share, and what takes a system call."""
    drawing = Drawing(520, 400, "Three machines: which of ring, status page and control page are mapped")
    for row, (name, roads) in enumerate(measure().items()):
        top = 20 + 128 * row
        drawing.text(20, top + 4, name, strong=True)
        drawing.box(20, top + 16, 90, 84, fill=FAINT / 2)
        drawing.text(65, top + 63, "program", anchor="middle")
        drawing.box(410, top + 16, 90, 84, fill=FAINT / 2)
        drawing.text(455, top + 63, "kernel", anchor="middle")
        _page(drawing, top + 16, "ring: samples", mapped=True)
        _page(drawing, top + 45, "status: hw_ptr", mapped=roads.status is Transport.MAPPED)
        _page(drawing, top + 74, "control: appl_ptr", mapped=roads.control is Transport.MAPPED)
    return drawing


def _page(drawing: Drawing, top: float, name: str, *, mapped: bool) -> None:
    colour = ACCENT if mapped else OTHER
    drawing.box(150, top, 220, 25, colour, fill=FAINT if mapped else 0)
    drawing.text(260, top + 17, f"{name}, {'mapped' if mapped else 'SYNC_PTR'}", colour, anchor="middle")
    for x in (112, 372):
        drawing.arrow((x, top + 12), (x + 36, top + 12), colour=colour, both=True)
