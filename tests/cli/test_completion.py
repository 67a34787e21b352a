"""completion: what a real bash makes of the script."""

from __future__ import annotations

import importlib
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import alsamm
from alsamm.cli.arguments import parser
from tests.cli.conftest import Cli, started

BASH = shutil.which("bash")
NAMES = ("null", "hw:CARD=PCH,DEV=0", "hw:CARD=USB,DEV=0", "sim:")
ASK = """
source "$1"; shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
asked=$(complete -p alsamm); asked=${asked##*-F }; ${asked%% *}
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def script(cli: Cli, tmp_path: Path) -> Path:
    """The script, and an ``alsamm`` in PATH that knows of some devices."""
    done = cli("completion", "bash")
    assert (done.code, done.err) == (0, "")
    (tmp_path / "script").write_text(done.out)
    (tmp_path / "alsamm").write_text(
        f"#!/bin/sh\n[ \"$*\" = 'completion devices' ] || exit 1\nprintf '%s\\n' {' '.join(NAMES)}\n"
    )
    (tmp_path / "alsamm").chmod(0o755)
    return tmp_path / "script"


def asked(script: Path, *words: str) -> set[str]:
    assert BASH, "bash is missing"
    path = f"{script.parent}:{os.environ['PATH']}"
    command = [BASH, "--norc", "-c", ASK, "bash", str(script), "alsamm", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, "PATH": path})
    assert done.stderr == ""
    return set(done.stdout.split())


def test_commands(script: Path) -> None:
    assert {"list", "info", "play", "record", "monitor", "loop", "latency", "top", "bench"} <= asked(script, "")
    assert asked(script, "lo") == {"loop"}


def test_options(script: Path) -> None:
    assert {"--report", "--rate"} <= asked(script, "latency", "--r")
    assert "--report" not in asked(script, "top", "--")
    assert asked(script, "completion", "b") == {"bash"}


@pytest.mark.parametrize(
    "before", [("info",), ("latency",), ("loop", "null", "--capture"), ("play", "a.wav", "--device"), ("monitor",)]
)
def test_devices_are_those_of_now(script: Path, before: tuple[str, ...]) -> None:
    assert set(NAMES) <= asked(script, *before, "")
    assert asked(script, *before, "hw:CARD=P") == {"hw:CARD=PCH,DEV=0"}


def test_files(script: Path, tmp_path: Path) -> None:
    (tmp_path / "song.wav").touch()
    for command in ("play", "record", "demo"):
        assert asked(script, command, f"{tmp_path}/so") == {f"{tmp_path}/song.wav"}


@pytest.fixture
def keyboard(script: Path) -> Iterator[int]:
    """A terminal with a bash in it that has the script."""
    assert BASH, "bash is missing"
    leader, terminal = os.openpty()
    environment = {**os.environ, "PATH": f"{script.parent}:{os.environ['PATH']}", "PS1": "$ ", "TERM": "dumb"}
    command = [BASH, "--norc", "--noprofile", "-i"]
    with started(
        command, stdin=terminal, stdout=terminal, stderr=terminal, env=environment, start_new_session=True
    ) as shell:
        os.close(terminal)
        os.write(leader, f"source {script}; echo rea''dy\n".encode())
        read_until(leader, "ready\r\n")
        yield leader
        shell.kill()
    os.close(leader)


def read_until(leader: int, mark: str) -> str:
    shown = ""
    end = time.monotonic() + 20
    while mark not in shown:
        assert time.monotonic() < end, shown
        if select.select([leader], [], [], 0.1)[0]:
            shown += os.read(leader, 10_000).decode().replace("\a", "")
    return shown


@pytest.mark.parametrize(
    ("typed", "becomes"),
    [
        ("alsamm moni\t", "alsamm monitor "),
        ("alsamm info hw:CARD=P\t", "alsamm info hw:CARD=PCH,DEV=0 "),
        ("alsamm info hw\t", "alsamm info hw:CARD="),
        ("alsamm loop --capture hw:CARD=U\t", "alsamm loop --capture hw:CARD=USB,DEV=0 "),
    ],
)
def test_typed(keyboard: int, typed: str, becomes: str) -> None:
    """Bash would cut words at colons and equal signs."""
    os.write(keyboard, typed.encode())
    read_until(keyboard, becomes)


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_get_all_commands(cli: Cli, shell: str) -> None:
    done = cli("completion", shell)
    assert done.code == 0
    (commands,) = (action.choices for action in parser()._actions if action.dest == "==SUPPRESS==" and action.choices)
    assert set(commands) - {word.strip("'\":()") for word in done.out.replace(":", " ").split()} == set()
    assert "alsamm completion devices" in done.out


def test_the_devices(cli: Cli) -> None:
    assert cli("completion", "devices").out.split() == [*alsamm.pcms(), "sim:"]


def test_without_shtab(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    done = cli("completion", "bash")
    assert (done.code, done.out, done.err) == (1, "", "alsamm: completion needs shtab: pip install 'alsamm[cli]'\n")
    monkeypatch.undo()
    importlib.import_module("shtab")
    assert cli("completion", "nosuch").code == 2
