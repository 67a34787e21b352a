"""A thread that wants the GIL all the time, for who has to show that it costs nothing."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Generator

__all__ = ["busy_thread"]


@contextlib.contextmanager
def busy_thread() -> Generator[None]:
    """It is there while the ``with`` lasts."""
    stop = False

    def spin() -> None:
        n = 0
        while not stop:
            n += 1

    thread = threading.Thread(target=spin)
    thread.start()
    try:
        yield
    finally:
        stop = True
        thread.join()
