"""The kernel's side of one direction of a software card."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alsamm.enums import Access, ClockType, Direction, Format, State

if TYPE_CHECKING:
    from collections.abc import Callable

    from alsamm._c._native import CData

__all__ = ["Substream"]


class Substream:
    """What really happens in the card, whatever a client believes: an oracle for tests, as /proc/asound is.

    Every attribute is read anew, under the card's lock. Frames are the unit of all sizes and positions; where nothing
    is open ``state`` is OPEN and the numbers are 0.

    Synchronization: any thread.
    """

    def __init__(self, read: Callable[[], CData], direction: Direction) -> None:
        self._read = read
        self._direction = direction

    def __repr__(self) -> str:
        now = self._read()
        state = State(now.state).name if now.open else "closed"
        return f"<{self._direction} {state} hw_ptr={now.hw_ptr} appl_ptr={now.appl_ptr} position={now.position}>"

    @property
    def is_open(self) -> bool:
        """Whether somebody has it open: also by a mapping or a dup()ed descriptor left behind (rule C10)."""
        return bool(self._read().open)

    @property
    def state(self) -> State:
        """The state that the kernel holds (part G of the rules)."""
        return State(self._read().state)

    @property
    def suspended_state(self) -> State:
        """What it was doing when the system was suspended."""
        return State(self._read().suspended_state)

    @property
    def hw_ptr(self) -> int:
        """As the status page tells it: stale until an interrupt or an HWSYNC (rule H1)."""
        return int(self._read().hw_ptr)

    @property
    def appl_ptr(self) -> int:
        """As the control page tells it."""
        return int(self._read().appl_ptr)

    @property
    def avail_min(self) -> int:
        """As the control page tells it."""
        return int(self._read().avail_min)

    @property
    def position(self) -> int:
        """Where the hardware is, modulo ``boundary``: never stale."""
        return int(self._read().position)

    @property
    def boundary(self) -> int:
        """Where the pointers wrap (rule E1)."""
        return int(self._read().boundary)

    @property
    def buffer_size(self) -> int:
        """Frames in the ring."""
        return int(self._read().buffer_size)

    @property
    def period_size(self) -> int:
        """Frames between two interrupts."""
        return int(self._read().period_size)

    @property
    def rate(self) -> int:
        """Hz."""
        return int(self._read().rate)

    @property
    def channels(self) -> int:
        """Samples in a frame; 0 before it is configured."""
        return int(self._read().channels)

    @property
    def format(self) -> Format:
        """The format of a sample, meaningless before it is configured."""
        return Format(self._read().format)

    @property
    def access(self) -> Access:
        """The access, meaningless before it is configured."""
        return Access(self._read().access)

    @property
    def start_threshold(self) -> int:
        """Of the software parameters."""
        return int(self._read().start_threshold)

    @property
    def stop_threshold(self) -> int:
        """Of the software parameters."""
        return int(self._read().stop_threshold)

    @property
    def silence_threshold(self) -> int:
        """Of the software parameters (rule J1)."""
        return int(self._read().silence_threshold)

    @property
    def silence_size(self) -> int:
        """Of the software parameters (rule J1)."""
        return int(self._read().silence_size)

    @property
    def timestamps(self) -> bool:
        """Whether the kernel writes timestamps into the status page (rule M1)."""
        return bool(self._read().tstamp_mode)

    @property
    def clock_type(self) -> ClockType:
        """The clock that they are read from (rule M2)."""
        return ClockType(self._read().tstamp_type)

    @property
    def mmap_count(self) -> int:
        """Live mappings of the ring; while there are any the PCM cannot be configured anew (rule C9)."""
        return int(self._read().mmap_count)

    @property
    def page_maps(self) -> int:
        """Live mappings of the status and the control page (rule C7)."""
        return int(self._read().page_maps)

    @property
    def linked(self) -> bool:
        """Whether it starts and stops together with the other direction."""
        return bool(self._read().linked)

    @property
    def interrupts(self) -> int:
        """Interrupts delivered since it was opened."""
        return int(self._read().interrupts)

    @property
    def xruns(self) -> int:
        """Xruns since the card was made, those that were recovered from too."""
        return int(self._read().xruns)

    @property
    def frames_moved(self) -> int:
        """Frames that the hardware played or recorded since the card was made."""
        return int(self._read().moved)
