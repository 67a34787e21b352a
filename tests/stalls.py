"""``python -m tests.stalls [pytest's arguments]``: the tests, held for a moment several times a second.

A machine that stands still for less than tests/witness.py sees may fail no case. The witness goes on meanwhile.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests import witness

_STALL = 0.9 * witness.LATE
_BETWEEN = (0.05, 0.2)  # seconds
_LEFT_OUT = {
    "tests/unit/test_whole_blocks.py::test_ten_seconds_beside_a_busy_thread": "its ring holds 10 ms, as one stall does",
}


def others(pytest: int) -> list[int]:
    """pytest and its children, such as xdist's workers, without the witness."""
    children = map(int, Path(f"/proc/{pytest}/task/{pytest}/children").read_text().split())
    sleeper = witness.SLEEPER.encode()
    return [pytest, *(child for child in children if sleeper not in Path(f"/proc/{child}/cmdline").read_bytes())]


def main() -> int:
    left_out = [f"--deselect={case}" for case in _LEFT_OUT]
    pytest = subprocess.Popen([sys.executable, "-m", "pytest", "-q", "-p", "tests.witness", *left_out, *sys.argv[1:]])
    stalls = 0
    while pytest.poll() is None:
        time.sleep(random.uniform(*_BETWEEN))
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # one of them has ended
            held = others(pytest.pid)
            try:
                for process in held:
                    os.kill(process, signal.SIGSTOP)
                time.sleep(_STALL)
                stalls += 1
            finally:
                for process in held:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(process, signal.SIGCONT)
    print(f"{stalls} times stopped for {_STALL * 1000:.0f} ms")
    return pytest.returncode


if __name__ == "__main__":
    sys.exit(main())
