"""What callbacks are given, and what they may raise."""

from __future__ import annotations

from dataclasses import dataclass

from alsamm import errors

__all__ = ["CallbackAbort", "CallbackError", "CallbackStatus", "CallbackStop", "CallbackTime"]


class CallbackStop(Exception):  # noqa: N818 -- sounddevice's name; it is no error
    """To be raised in a callback: play what was written, this block too, then stop."""


class CallbackAbort(Exception):  # noqa: N818 -- as CallbackStop
    """To be raised in a callback: stop at once."""


class CallbackError(errors.AlsaError):
    """A C callback gave a negative answer, ``value``."""

    def __init__(self, value: int) -> None:
        super().__init__(value)
        self.value = value

    def __str__(self) -> str:
        return f"the callback returned {self.value}"


@dataclass(frozen=True)
class CallbackTime:
    """When a block's first frame was captured, and will be heard: seconds, as time.monotonic().

    The attributes have sounddevice's names too: ``currentTime``, ``inputBufferAdcTime``, ``outputBufferDacTime``.

    Synchronization: a value; nothing to lock.
    """

    current: float
    """When the callback was called."""
    input_adc: float
    """When the first frame was captured; 0.0 where nothing is captured."""
    output_dac: float
    """When the first frame will be heard; 0.0 where nothing is played. Before the card starts: if it started now."""

    @property
    def currentTime(self) -> float:  # noqa: N802 -- sounddevice's, here and below
        """``current``."""
        return self.current

    @property
    def inputBufferAdcTime(self) -> float:  # noqa: N802
        """``input_adc``."""
        return self.input_adc

    @property
    def outputBufferDacTime(self) -> float:  # noqa: N802
        """``output_dac``."""
        return self.output_dac


@dataclass(frozen=True)
class CallbackStatus:
    """What happened since the callback before; false when nothing did.

    Synchronization: a value; nothing to lock.
    """

    input_overflow: bool = False
    """Captured frames were lost."""
    output_underflow: bool = False
    """The card ran out of frames to play."""

    def __bool__(self) -> bool:
        return self.input_overflow or self.output_underflow

    def __str__(self) -> str:
        told = [name for name in ("input_overflow", "output_underflow") if getattr(self, name)]
        return ", ".join(told).replace("_", " ")
