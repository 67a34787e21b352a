"""Every block of code in README.md and docs/ does what it says, on software cards."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from alsamm.cli import main
from alsamm.cli.arguments import parser
from tests.docs.blocks import PAGES, ROOT, Block, blocks, sessions
from tests.docs.conftest import Desk

MAKEFILE = (ROOT / "Makefile").read_text()
# What no test runs: it changes the machine, or belongs to another system than this one.
_TAKEN_AT_THEIR_WORD = ("pip", "sudo", "python3 -m venv", "source .venv/bin/activate")
_THREADS = re.compile(r"asyncio|alsamm\.Stream\(|resample=True|clock=\"realtime\"")
_UNTAGGED = re.compile(r"^(?:```|~~~) *(\w*)", re.MULTILINE)
_WIDTH = 92  # characters, on a desktop
_LANGUAGES = {"python", "sh", "text", "c", "console", "ini", "toml", "yaml"}

SESSIONS = [pytest.param(told, id=f"{page}:{told[0].line}") for page in PAGES for told in sessions(page)]
COMMANDS = [
    pytest.param(block, line, id=f"{page}:{block.line + number}")
    for page in PAGES
    for block in blocks(page, "sh")
    for number, line in enumerate(block.code.splitlines())
    if line.strip() and not line.startswith("#")
]


@pytest.fixture
def clock(request: pytest.FixtureRequest) -> str:
    """Cards that move when somebody waits serve one thread; those of several keep real time."""
    told: list[Block] = request.node.callspec.params.get("told", [])
    return "realtime" if any(_THREADS.search(block.code) for block in told) else "auto"


@pytest.mark.parametrize("told", SESSIONS)
@pytest.mark.usefixtures("desk")
def test_python_runs(told: list[Block]) -> None:
    code = "".join(block.code for block in told)
    if "def test_" in code:
        run_as_tests(code)
        return
    names: dict[str, object] = {"__name__": "__main__"}
    for block in told:
        block.run(names)


def run_as_tests(code: str) -> None:
    """As a user's own file, by the plugin that is installed."""
    Path("test_page.py").write_text(code)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--strict-markers",
        "-W",
        "error",
        "--rootdir",
        ".",
        "test_page.py",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert f"{code.count('def test_')} passed" in done.stdout


@pytest.mark.parametrize(("block", "line"), COMMANDS)
def test_shell_runs(block: Block, line: str, desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    del block
    words = shlex.split(line, comments=True)
    if words[:3] == ["python", "-m", "alsamm"]:
        words = words[2:]
    if words[0] == "alsamm":
        asked, command = parser().parse_args(words[1:]), {*words[1:2]}
        if command & {"top", "bench"}:
            return  # of the machine: those have tests of their own
        if command & {"play", "record", "demo", "tone"} and asked.device is None:
            words += ["--device", "hw:0"]  # there is no first card here
        desk.first.loop = bool(command & {"latency", "loop"})  # a cable
        assert main(words[1:]) == 0, capsys.readouterr().err
    elif words[0] == "make":
        targets = [word for word in words[1:] if "=" not in word]
        assert targets
        assert all(re.search(rf"^{target}:", MAKEFILE, re.MULTILINE) for target in targets)
    elif words[0] == "python":
        assert (ROOT / words[1]).is_file()
    else:
        assert line.startswith(_TAKEN_AT_THEIR_WORD), f"nobody runs: {line}"


@pytest.mark.parametrize("page", PAGES)
def test_every_block_says_what_it_is(page: str) -> None:
    opened = _UNTAGGED.findall((ROOT / page).read_text())[::2]
    assert all(tag in _LANGUAGES or not tag for tag in opened), opened


@pytest.mark.parametrize("page", [page for page in PAGES if page.startswith("docs/")])
def test_code_is_no_wider_than_the_page(page: str) -> None:
    wide = [line for block in blocks(page, "python", "sh") for line in block.code.splitlines() if len(line) > _WIDTH]
    assert wide == []


def test_blocks_are_found() -> None:
    assert len(SESSIONS) > 20
    assert len(COMMANDS) > 10
    assert Path("README.md").name in PAGES
