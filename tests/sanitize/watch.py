"""A pytest plugin: UBSan is told where to write; at the end, while the interpreter is there, LeakSanitizer looks."""

from __future__ import annotations

import ctypes
import gc
import os

__all__ = ["look_for_leaks", "pytest_unconfigure", "write_reports"]


def write_reports() -> None:
    """UBSan beside ASan writes to stderr, which pytest has, whatever its options say; but it can be told."""
    if (path := os.environ.get("ALSAMM_REPORTS")) and "libubsan" in os.environ.get("LD_PRELOAD", ""):
        ctypes.CDLL("libubsan.so.1").__sanitizer_set_report_path(f"{path}/ubsan".encode())


def look_for_leaks() -> None:
    """Where the tool looks for leaks, it writes a report of those that there are."""
    gc.collect()
    check = getattr(ctypes.CDLL(None), "__lsan_do_recoverable_leak_check", None)
    if check is not None:
        check()


def pytest_unconfigure() -> None:
    look_for_leaks()


write_reports()
