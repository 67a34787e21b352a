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
SECONDS, PERIOD = 10, 64
# How many periods the buffer has. snd-aloop moves 8 ms at once, which no two hold: each start ends in an xrun, one each
# 8 ms, whoever plays (rule P11); with eight it is a card as others. QEMU's HDA moves 10 ms at once: there two periods
# only tell how often it was started.
PERIODS = {"snd-dummy": [2], "snd-aloop": [2, 8], "snd-hda-intel": [8]}
# As long: an arpeggio, and a chord of six that lasts.
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


def test_no_more_xruns_than_c(device: dict[str, Any], by_c: Path) -> None:
    name = str(device["playback"])

    def python(seconds: int, periods: int) -> int:
        command = [sys.executable, "-m", "examples.synth", SCORE, "--device", name, f"--seconds={seconds}"]
        return xruns_of([*command, f"--period={PERIOD}", f"--periods={periods}"])

    def c(seconds: int, periods: int) -> int:
        notes = [repr(number) for note in synth.notes(SCORE) for number in note]
        return xruns_of([by_c, name, str(seconds), str(PERIOD), str(periods), *notes])

    for periods in PERIODS[str(device["driver"])]:
        for play in (python, c):  # the first sound brings code into memory, which takes a period over 9p
            play(1, periods)
        xruns = {"synth.py": python(SECONDS, periods), "synth.c": c(SECONDS, periods)}
        print(f"{device['driver']}, {PERIOD} x {periods}: xruns {xruns}")
        # Where the card makes them, ten seconds that begin elsewhere between its jumps may hold one more.
        assert xruns["synth.py"] <= xruns["synth.c"] + (xruns["synth.c"] > 0), xruns
