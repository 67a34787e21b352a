"""The program ``alsamm``.

Outside the package, whose import raises an ImportError where something is missing on this machine: here it is one line.
"""

from __future__ import annotations

import os
import signal
import sys


def main() -> int:
    """Run what was typed; gives the exit code."""
    if sys.stdout is None:  # pyright: ignore[reportUnnecessaryComparison] -- it was closed, and all of us writes to it
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 -- until the end
    by_python = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if by_python:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # of a KeyboardInterrupt numpy would make an ImportError
    try:
        from alsamm import cli  # noqa: PLC0415 -- see above
    except ImportError as error:
        sys.stderr.write(f"alsamm: {' '.join(str(error).split())}\n")
        return 1
    if by_python:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return cli.main()
