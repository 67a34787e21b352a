"""How the lab runs QEMU (tests/kernel/guest.py), by a program that says what it finds."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.kernel.guest import Task, _run_qemu

SAYS = "import os; print(os.getsid(0), os.getpgid(0) == os.getpid())"


def test_a_guest_is_of_our_session_and_no_ctrl_c_of_ours_reaches_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A session of its own had as much of the CPUs as all the tests beside it, however nice it was (sched(7))."""
    image: Any = None  # nothing is booted
    task = Task(image, (), command="", checkout=tmp_path, results=tmp_path, timeout=20)
    assert not _run_qemu([sys.executable, "-c", SAYS], task)
    assert capsys.readouterr().out.split() == [str(os.getsid(0)), "True"]
