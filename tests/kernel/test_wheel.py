"""The wheel for this machine, as users get it, on a real driver: its command, and what is played is what is heard."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[2]
RUN = """
import sys, pytest, alsamm
from alsamm import cli
assert alsamm.__file__.startswith(sys.argv[1]), alsamm.__file__
assert cli.main(["info", sys.argv[2]]) == 0
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "tests/contract/test_loop.py", "--devices=" + sys.argv[3]]))
"""

pytestmark = pytest.mark.needs("loop")


def test_the_wheel_plays_and_records(device: dict[str, Any], tmp_path: Path) -> None:
    (wheel,) = PROJECT.glob(f"dist/*-abi3-*_{platform.machine()}.whl")
    installed, work = tmp_path / "installed", tmp_path / "work"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    shutil.copytree(PROJECT / "tests", work / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "pyproject.toml", work)
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(installed), str(device["playback"]), "aloop"],
        cwd=work,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
    )
    print(wheel.name, done.stdout, done.stderr)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout.splitlines()[-1]
