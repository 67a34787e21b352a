"""``python planted.py FAULT LIBRARY``: commit one of planted.c's faults, in an interpreter as the tests run in."""

from __future__ import annotations

import ctypes
import sys
import threading

from tests.sanitize.watch import look_for_leaks


def main(fault: str, library: str) -> None:
    planted = ctypes.CDLL(library)
    if fault == "overflow":
        planted.planted_overflow(ctypes.c_long(9))
    elif fault == "undefined":
        planted.planted_undefined(0x7FFFFFFF)
    elif fault == "leak":
        planted.planted_leak()
        ctypes.CDLL(None).memset(ctypes.create_string_buffer(9), 0, 9)  # whatever still held its address
        look_for_leaks()
    elif fault == "race":
        threads = [threading.Thread(target=planted.planted_race) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    elif fault == "uninitialised":
        planted.planted_uninitialised()
    elif fault == "unset":
        planted.planted_unset()  # ctypes looks at it, to make it an int


if __name__ == "__main__":
    main(*sys.argv[1:])
