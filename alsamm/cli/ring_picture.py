"""A ring, drawn: where the card is in it (hw_ptr), where we are (appl_ptr), and what lies between."""

from __future__ import annotations

from typing import NamedTuple

from alsamm.direct import MmapCapture, MmapPlayback
from alsamm.enums import Direction

__all__ = ["Place", "place_of", "ring_lines"]

_FULL, _EMPTY = "#", "."
_CARD, _WE, _BOTH = "H", "A", "*"


class Place(NamedTuple):
    """Pointers of one moment, and the ring that they are in; frames."""

    hw_ptr: int
    appl_ptr: int
    buffer_size: int
    period_size: int
    boundary: int
    direction: Direction

    @property
    def fill(self) -> int:
        """What is to be played, or to be read; 0 where we are late."""
        ahead, behind = self.appl_ptr, self.hw_ptr
        if self.direction is Direction.CAPTURE:
            ahead, behind = behind, ahead
        fill = (ahead - behind) % self.boundary
        return fill if fill <= self.buffer_size else 0 if self.direction is Direction.PLAYBACK else self.buffer_size


def place_of(ring: object) -> Place | None:
    """Where a stream's ring stands; None for one that goes by alsa-lib's calls, which has no ring that can be seen."""
    if not isinstance(ring, (MmapPlayback, MmapCapture)):
        return None
    now = ring.snapshot()
    direction = Direction.PLAYBACK if isinstance(ring, MmapPlayback) else Direction.CAPTURE
    return Place(now.hw_ptr, now.appl_ptr, ring.buffer_size, ring.period_size, ring.boundary, direction)


def ring_lines(place: Place, width: int) -> list[str]:
    """Three lines, ``width`` wide but for what stands behind: the periods, the ring with what is in it, both pointers.

    A cell is full if the middle of its frames is; periods are left out where they are closer than two cells.
    """
    size = place.buffer_size
    begin = (place.hw_ptr if place.direction is Direction.PLAYBACK else place.appl_ptr) % size
    middles = [(2 * cell + 1) * size / (2 * width) for cell in range(width)]
    ring = "".join(_FULL if (middle - begin) % size < place.fill else _EMPTY for middle in middles)
    marks = [" "] * width
    if size / place.period_size <= width / 2:
        for frame in range(0, size, place.period_size):
            marks[frame * width // size] = "|"
    pointers = [" "] * width
    card, we = (pointer % size * width // size for pointer in (place.hw_ptr, place.appl_ptr))
    pointers[card], pointers[we] = _CARD, _WE
    if card == we:
        pointers[card] = _BOTH
    what = "to be played" if place.direction is Direction.PLAYBACK else "to be read"
    return [
        f"{''.join(marks)}  periods of {place.period_size}",
        f"{ring}  {place.fill} of {size} frames {what}",
        f"{''.join(pointers)}  {_CARD} hw_ptr {place.hw_ptr}   {_WE} appl_ptr {place.appl_ptr}",
    ]
