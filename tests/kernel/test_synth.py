"""examples/synth.py beside a C program that plays the same notes through alsa-lib: no more xruns, at 64 frames x 2.

Run it with ``--icount``: an emulated machine whose time is the host's is late whenever the host is, whoever plays.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from examples import synth

PROJECT = Path(__file__).parents[2]
PERIOD, PERIODS = 64, 2
# Ten seconds: an arpeggio, and a chord of six that lasts.
SCORE = " ".join(
    [*("C4:0.25", "E4:0.25", "G4:0.25", "C5:0.25") * 6, "C3+G3+C4+E4+G4+C5:4.5"],
)

pytestmark = pytest.mark.needs("playback")


@pytest.fixture(scope="module")
def by_c(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The C program; compiled here, where the lab's root has the host's compiler."""
    program = tmp_path_factory.mktemp("synth") / "synth"
    source = Path(__file__).with_name("synth.c")
    subprocess.run(["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", program, source, "-lasound", "-lm"], check=True)
    return program


@pytest.fixture(autouse=True)
def no_huge_pages() -> None:
    """khugepaged takes the one CPU for longer than this ring lasts, whoever plays (rule P14)."""
    Path("/sys/kernel/mm/transparent_hugepage/enabled").write_text("never")


def xruns_of(command: Sequence[str | Path]) -> int:
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    told = re.search(r"(\d+) frames, (\d+) xruns", done.stdout)
    assert told, done.stdout
    return int(told[2])


@pytest.mark.parametrize("realtime", [False, True], ids=["ordinary", "realtime"])
def test_no_more_xruns_than_c(device: dict[str, Any], by_c: Path, realtime: bool) -> None:
    name = str(device["playback"])

    def python(seconds: float) -> int:
        command = [sys.executable, "-m", "examples.synth", SCORE, "--device", name, f"--seconds={seconds}"]
        command += [f"--period={PERIOD}", f"--periods={PERIODS}", *(["--realtime"] if realtime else [])]
        return xruns_of(command)

    def c(seconds: float) -> int:
        notes = [f"{number!r}" for note in synth.notes(SCORE) for number in note]
        chrt = ["chrt", "--fifo", "70"] if realtime else []
        return xruns_of([*chrt, by_c, name, str(seconds), str(PERIOD), str(PERIODS), *notes])

    for play in (python, c):  # the first sound brings code into memory, which takes a period over 9p
        play(1)
    xruns = {"synth.py": python(10), "synth.c": c(10)}
    print(f"xruns: {xruns}")
    assert xruns["synth.py"] <= xruns["synth.c"], xruns
