"""Ctrl-C and kill, for commands that have something to finish."""

from __future__ import annotations

import signal
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

__all__ = ["interrupts"]

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def interrupts() -> Generator[list[int]]:
    """A list that Ctrl-C or kill fills with the signal's number, so that what is being written is finished.

    A second one ends at once, by KeyboardInterrupt.

    Synchronization: in the main thread only, as all handling of signals.
    """
    came: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        if came:
            raise KeyboardInterrupt
        came.append(number)

    before = {number: signal.signal(number, note) for number in _ENDING}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
