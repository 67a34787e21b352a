"""What tests/witness.py tries again, and what it does not: cases that are planted, and run by another pytest."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLANTED = """
import os, pathlib, signal, threading, time

def stop_the_sleeper():
    children = pathlib.Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    sleeper = next(int(pid) for pid in children if "def watch" in pathlib.Path(f"/proc/{pid}/cmdline").read_text())
    os.kill(sleeper, signal.SIGSTOP)
    return sleeper

def late():
    sleeper = stop_the_sleeper()
    time.sleep(0.1)
    os.kill(sleeper, signal.SIGCONT)

"""


def told(tmp_path: Path, cases: str, *options: str) -> str:
    """What pytest says of ``cases``."""
    (tmp_path / "test_planted.py").write_text(PLANTED + cases)
    command = [sys.executable, "-m", "pytest", "-p", "tests.witness", "-p", "no:cacheprovider", "-q", "--color=no"]
    done = subprocess.run(
        [*command, "-c", "/dev/null", "--rootdir", str(tmp_path), *options, "test_planted.py"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    return done.stdout


def count(said: str, outcome: str) -> int:
    found = re.search(rf"(\d+) {outcome}", said)
    return int(found[1]) if found else 0


def test_a_case_that_failed_while_the_machine_stood_still_is_tried_again(tmp_path: Path) -> None:
    said = told(tmp_path, "tries = []\ndef test_it():\n    tries.append(late())\n    assert len(tries) > 1")
    assert (count(said, "passed"), count(said, "failed"), count(said, "rerun")) == (1, 0, 1)
    assert "the machine stood still for" in said


def test_but_three_times_in_all(tmp_path: Path) -> None:
    said = told(tmp_path, "def test_it():\n    late()\n    assert False")
    assert (count(said, "passed"), count(said, "failed"), count(said, "rerun")) == (0, 1, 2)


def test_one_that_failed_while_nobody_was_late_has_failed(tmp_path: Path) -> None:
    """The sleeper is kept from telling of this machine's own."""
    said = told(
        tmp_path,
        "def test_it():\n"
        "    threading.Timer(1, os.kill, (stop_the_sleeper(), signal.SIGCONT)).start()\n"
        "    assert False",
    )
    assert (count(said, "passed"), count(said, "failed"), count(said, "rerun")) == (0, 1, 0)


def test_a_crash_is_not_tried_again(tmp_path: Path) -> None:
    said = told(tmp_path, "def test_it():\n    late()\n    os.abort()", "-n", "1")
    assert (count(said, "passed"), count(said, "failed"), count(said, "rerun")) == (0, 1, 0)
    assert "crashed" in said
