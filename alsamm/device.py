"""The seam between set-up and direct memory: what a device must tell before it can be mapped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from alsamm.enums import Access, ClockType, Direction, Format

__all__ = ["Device", "Geometry", "Holder"]


@dataclass(frozen=True)
class Geometry:
    """How a configured PCM's ring is laid out and when it starts and stops. Sizes and thresholds are frames."""

    access: Access
    format: Format
    channels: int
    rate: int
    """Hz, rounded; the card's exact rate is HwParams.rate_ratio."""
    period_size: int
    buffer_size: int
    boundary: int
    """Where hw_ptr and appl_ptr wrap to 0, as the kernel chose it (rule E1)."""
    start_threshold: int
    stop_threshold: int
    period_wakeup: bool
    """False: the card was told not to interrupt, so poll is never woken (rule H6)."""
    msbits: int
    """How many of a sample's most significant bits the card uses (rule F6)."""
    tstamp_type: ClockType
    """The clock that timestamps are of (rule M2)."""


class Holder(Protocol):
    """A direct object that has a device's ring mapped; the device tells it what changes under it."""

    def close(self) -> None:
        """Unmap: the device is about to be closed."""
        ...

    def reconfigured(self, geometry: Geometry) -> None:
        """Software parameters were changed."""
        ...

    def prepare(self) -> None:
        """Make ready to start; what is not committed must be silent, and what was counted is to be remembered."""
        ...

    def reset(self) -> None:
        """Forget what is buffered, and count on."""
        ...

    def rewind(self, frames: int) -> int:
        """Take frames back, and their numbers."""
        ...

    def forward(self, frames: int) -> int:
        """Skip frames, and their numbers."""
        ...

    def drain(self, timeout: float | None = None) -> None:
        """Play what is committed, then stop, with silence behind the last frame (rule J3)."""
        ...


class Device(Protocol):
    """A PCM as direct memory sees it: a file descriptor with the kernel's ioctls, and the ring's geometry."""

    @property
    def name(self) -> str:
        """What the user opened."""
        ...

    @property
    def direction(self) -> Direction:
        """Playback or capture."""
        ...

    def kernel_fd(self) -> int:
        """The descriptor to map and to ioctl. Raises UnsupportedError where the PCM is not one kernel device."""
        ...

    def geometry(self) -> Geometry:
        """What is configured now. Raises StateError before that."""
        ...

    def attach(self, holder: Holder) -> None:
        """Tell of a mapping, so that the device can end it before it is closed. One at a time: StateError."""
        ...

    def detach(self, holder: Holder) -> None:
        """The mapping is gone."""
        ...
