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
        arguments, unknown = parser().parse_known_args(argv)
        if unknown:
            arguments.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
        with killable():
            code: int = arguments.run(arguments)
            sys.stdout.flush()
    except SystemExit as end:  # argparse: --help, or options that make no sense
        code = end.code if isinstance(end.code, int) else 1
    except KeyboardInterrupt:
        code = _INTERRUPTED
    except BrokenPipeError:
        # What Python still holds for the closed pipe must not come up again when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = _complain("nobody reads the output any more (closed pipe)")
    except MemoryError as error:
        code = _complain(f"not enough memory: {error}")
    except (errors.AlsaError, Ended, TimeoutError) as error:
        code = _complain(str(error))
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        code = _complain(f"{where}{error.strerror or error}")
    return code


def _complain(text: str) -> int:
    sys.stderr.write(f"alsamm: {' '.join(text.split())}\n")
    return 1
