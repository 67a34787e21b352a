"""The command line: ``python -m alsamm``."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence

from alsamm import errors
from alsamm.cli.arguments import parser
from alsamm.cli.interrupts import Ended, killable

__all__ = ["main"]

_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; gives the exit code. ``argv`` is what follows the program's name, by default the process's own.

    0: done. 1: it failed, or what arrived was not what was sent. 2: the options make no sense. 130: Ctrl-C.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):  # --help is told in every encoding
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with killable():
            code = _run(argv)
    except KeyboardInterrupt:
        code = _INTERRUPTED
    except BrokenPipeError:
        _give_up_output()
        code = _complain("nobody reads the output any more (closed pipe)")
    except MemoryError as error:
        code = _complain(f"not enough memory: {error}")
    except (errors.AlsaError, Ended, TimeoutError) as error:
        code = _complain(str(error))
    except OSError as error:
        _give_up_output()
        where = f"{error.filename}: " if error.filename else ""
        code = _complain(f"{where}{error.strerror or error}")
    return code


def _run(argv: Sequence[str] | None) -> int:
    try:
        arguments, unknown = parser().parse_known_args(argv)
        if unknown:
            arguments.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
        code: int = arguments.run(arguments)
    except SystemExit as end:  # argparse: --help, or options that make no sense
        code = end.code if isinstance(end.code, int) else 1
    sys.stdout.flush()
    return code


def _give_up_output() -> None:
    """What Python still holds for a pipe that is closed or a disk that is full must not come up again at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain(text: str) -> int:
    sys.stderr.write(f"alsamm: {' '.join(text.split())}\n")
    return 1
