"""The program ``alsamm``.

Outside the package, whose import raises an ImportError where something is missing on this machine: here it is one line.
"""

from __future__ import annotations

import os
import sys

_INTERRUPTED = 130


def main() -> int:
    """Run what was typed; gives the exit code."""
    if sys.stdout is None:  # pyright: ignore[reportUnnecessaryComparison] -- it was closed, and all of us writes to it
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 -- until the end
    try:
        from alsamm import cli  # noqa: PLC0415 -- see above
    except ImportError as error:
        sys.stderr.write(f"alsamm: {error}\n")
        return 1
    except KeyboardInterrupt:
        return _INTERRUPTED
    return cli.main()
