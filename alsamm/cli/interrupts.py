"""Ctrl-C and kill: commands that have something to finish finish it, the others end in one line."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType

__all__ = ["Ended", "interrupts", "killable"]

_KILLS = (signal.SIGTERM, signal.SIGHUP)


class Ended(Exception):  # noqa: N818 -- it is what happened, and no error of ours
    """Somebody killed this process, politely."""

    def __init__(self, number: int) -> None:
        super().__init__(f"ended by {signal.Signals(number).name}")


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

    with _handled((signal.SIGINT, *_KILLS), note):
        yield came


@contextmanager
def killable() -> Generator[None]:
    """Meanwhile kill raises Ended in the main thread, so that all is closed as it should be."""

    def end(number: int, _frame: FrameType | None) -> None:
        raise Ended(number)

    with _handled(_KILLS, end):
        yield


@contextmanager
def _handled(numbers: tuple[signal.Signals, ...], handler: Callable[[int, FrameType | None], None]) -> Generator[None]:
    if threading.current_thread() is not threading.main_thread():  # where Python allows no handlers
        yield
        return
    # What nohup ignores stays ignored.
    numbers = tuple(number for number in numbers
                    if number == signal.SIGINT or signal.getsignal(number) is not signal.SIG_IGN)  # fmt: skip
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
