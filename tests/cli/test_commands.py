"""list, info, and everything that can be typed wrong: one line, an exit code, no traceback."""

from __future__ import annotations

import json
import os
import platform
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import cffi
import numpy as np
import pytest

import alsamm
from alsamm import PcmInfo, sim
from alsamm.cli import devices, main
from alsamm.cli.arguments import COMMANDS, parser
from alsamm.cli.pages import PageAnswer, pages_of
from alsamm.enums import Direction, Format
from alsamm.wav import WavWriter
from tests.cli.conftest import Cli

CARDS = [
    alsamm.Card(0, "Mic", "USB-Audio", "A microphone", "", "", (
        PcmInfo(0, 0, 0, "cap", "Capture", "", 1, 0, Direction.CAPTURE),
    )),
    alsamm.Card(3, "Both", "HDA-Intel", "HDA", "", "", (
        PcmInfo(3, 0, 0, "a", "ALC", "", 1, 1, Direction.PLAYBACK),
        PcmInfo(3, 0, 0, "a", "ALC", "", 1, 1, Direction.CAPTURE),
    )),
    alsamm.Card(4, "Midi", "x", "No PCM at all", "", "", ()),
]  # fmt: skip

ANSWER = "the kernel answers ENXIO."
HEARS = "SYNC_APPLPTR: the driver must hear of every commit, which a store into a mapped page would hide"
TOLD = "the software card was told to refuse it, as machines do"
NONE = "there are no sound cards on this machine [ENODEV]"


@pytest.fixture
def cards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alsamm, "cards", lambda: CARDS)


@pytest.fixture
def no_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alsamm, "cards", list[alsamm.Card])


@pytest.mark.usefixtures("cards")
@pytest.mark.parametrize("command", [(), ("list",)])
def test_list_marks_the_defaults(cli: Cli, command: tuple[str, ...]) -> None:
    done = cli(*command)
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        "card 0: A microphone (USB-Audio)\n"
        "  hw:CARD=Mic,DEV=0  capture   Capture, 0 of 1 free  <- default for capture\n"
        "      in use\n"
        "card 3: HDA (HDA-Intel)\n"
        "  hw:CARD=Both,DEV=0  playback  ALC, 1 of 1 free  <- default for playback\n"
        f"      cannot be opened: hw:CARD=Both,DEV=0: snd_pcm_open: no such playback PCM; {NONE}\n"
        "  hw:CARD=Both,DEV=0  capture   ALC, 1 of 1 free\n"
        f"      cannot be opened: hw:CARD=Both,DEV=0: snd_pcm_open: no such capture PCM; {NONE}\n"
        "card 4: No PCM at all (x)\n"
        "  no PCM\n"
    )


@pytest.mark.usefixtures("cards")
def test_list_for_programs(cli: Cli) -> None:
    listed = json.loads(cli("list", "--json").out)["cards"]
    assert [card["id"] for card in listed] == ["Mic", "Both", "Midi"]
    assert [(pcm["name"], pcm["direction"], pcm["default"]) for card in listed for pcm in card["pcms"]] == [
        ("hw:CARD=Mic,DEV=0", "capture", True),
        ("hw:CARD=Both,DEV=0", "playback", True),
        ("hw:CARD=Both,DEV=0", "capture", False),
    ]


@pytest.mark.usefixtures("no_cards")
def test_without_cards_the_software_card_is_told_of(cli: Cli, tmp_path: Path) -> None:
    assert cli("list").out == 'no sound card here; commands without --device use the software card, "sim:"\n'
    assert json.loads(cli("list", "--json").out) == {"cards": [], "software_cards": []}
    done = cli("record", tmp_path / "a.wav", "--seconds", "0.05")
    assert done.out.startswith("no sound card here for capture: using the software card, which hears silence\n")
    done = cli("play", tmp_path / "a.wav")
    assert done.out.startswith(
        "no sound card here for playback: using the software card, as fast as it goes and not in real time\n"
    )
    assert cli("info").out.startswith("no sound card here for capture: using the software card\nplayback:   sim:alsamm")


@pytest.mark.usefixtures("cards")
def test_the_default_is_the_first_card_that_can(cli: Cli, tmp_path: Path) -> None:
    assert devices.default_name(Direction.CAPTURE) == "hw:CARD=Mic,DEV=0"
    assert devices.default_name(Direction.PLAYBACK) == "hw:CARD=Both,DEV=0"
    done = cli("record", tmp_path / "a.wav")
    assert (done.code, "hw:CARD=Mic,DEV=0: " in done.err) == (1, True)  # which is not really there


def test_list_tells_what_software_cards_can_do(cli: Cli) -> None:
    with sim.Card("mine", formats=["S16_LE"], rates=[44_100, 48_000], channels=2, refuse_control=True) as card:
        listed = json.loads(cli("list", "--json").out)["software_cards"]
        assert [(pcm["name"], pcm["direction"]) for pcm in listed[0]["pcms"]] == [
            ("sim:mine", "playback"),
            ("sim:mine", "capture"),
        ]
        able = listed[0]["pcms"][0]["able"]
        assert (able["channels"], able["rate"], able["formats"]) == ([2, 2], [44_100, 48_000], ["S16_LE"])
        assert (able["usual_rates"], able["transport"]) == ([44_100, 48_000], "status mapped, control SYNC_PTR")
        told = cli("list").out
        assert "      2 channels; 44100 to 48000 Hz; S16_LE; status mapped, control SYNC_PTR\n" in told
        with alsamm.playback(card.device):
            busy = cli("list").out  # and the one that plays is not disturbed
        assert busy.splitlines()[-4:-2] == ["  sim:mine  playback", "      in use"]


def test_list_all_has_alsa_libs_own_names(cli: Cli) -> None:
    assert "  null  Discard all samples" in cli("list", "--all").out
    assert "null" in json.loads(cli("list", "--all", "--json").out)["named"]
    assert "named" not in json.loads(cli("list", "--json").out)


def test_info_tells_both_directions_and_all_versions(cli: Cli) -> None:
    with sim.Card("told", formats=["S16_LE"], rates=[44_100, 48_000], refuse_control=True) as card:
        done = cli("info", card.device)
        found = json.loads(cli("info", card.device, "--json").out)
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    heads = [line.split(":")[0] for line in lines if not line.startswith(" ")]
    assert heads == ["playback", "capture", "for a bug report"]
    assert lines.count("  format:   S16_LE") == 2
    assert "  rate:     44100 to 48000 Hz; of the usual ones 44100, 48000" in lines
    assert "  pages:    status mapped, control SYNC_PTR" in lines
    assert "  samples:  can be mapped" in lines
    where = "channel 0 from byte 0, channel 1 from byte 2, with a step of 4 bytes, in one mapping"
    assert f"  layout:   MMAP_INTERLEAVED, S16_LE: {where}" in lines
    report = "\n".join(lines[lines.index("for a bug report:") :])
    versions = (alsamm.__version__, os.uname().release, "alsa-lib:     1.", platform.python_version(), cffi.__version__)
    assert all(version in report for version in (*versions, np.__version__, "distribution:", "machine:"))
    assert "sim:told, status mapped, control SYNC_PTR, driver info 0x" in report
    assert found["playback"]["formats"] == ["S16_LE"]
    assert found["playback"]["pages"]["control"]["answer"] == "ENXIO"
    assert found["versions"]["numpy"] == np.__version__


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, []),
        (
            {"refuse_control": True},
            [f"control page: {ANSWER} {HEARS} (rules C3, C4)"],
        ),
        (
            {"refuse_control": True, "refuse_status": True},
            [f"{page} page: {ANSWER} {TOLD} that have no such pages (rule C2)" for page in ("status", "control")],
        ),
    ],
)  # fmt: skip
def test_info_says_why_a_page_is_not_mapped(cli: Cli, options: dict[str, bool], said: list[str]) -> None:
    with sim.Card("why", **options) as card:  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
        told = cli("info", card.device).out
    whys = [line.partition(":")[2].strip() for line in told.splitlines() if line.startswith("  why:")]
    assert whys == 2 * said


@pytest.mark.parametrize("machine", ["aarch64", "riscv64"])
def test_info_names_the_machines_that_have_no_pages(machine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's answer is the software card's, the name it is judged by a real card's."""
    monkeypatch.setattr(platform, "machine", lambda: machine)
    with sim.Card("arm", refuse_control=True, refuse_status=True) as card, alsamm.PCM(card.device, "playback") as pcm:
        monkeypatch.setattr(alsamm.PCM, "name", property(lambda _: "hw:0"))
        found = pages_of(pcm)
    why = f"the kernel has these pages on x86, PowerPC and Alpha only; this is {machine} (rule C2)"
    assert found.status == found.control == PageAnswer(mapped=False, answer="ENXIO", why=why)


def test_info_of_what_alsa_lib_makes(cli: Cli) -> None:
    assert "  pages:    none: alsa-lib makes this PCM" in cli("info", "null").out


def test_info_of_a_busy_device(cli: Cli) -> None:
    with sim.Card("busy") as card:
        card.busy("playback")
        done = cli("info", card.device)
        assert done.code == 0
        assert "sim:busy: " in done.told("playback")
        card.busy("capture")
        assert cli("info", card.device).code == 1


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (("play", "{missing}"), 1, "{missing}: No such file or directory"),
        (("play", "{folder}"), 1, "{folder}: Is a directory"),
        (("play", "{text}"), 1, "{text}: no WAV file"),
        (("demo", "-"), 1, "demo reads its file twice"),
        (("latency", "sim:", "--times", "1", "--report", "{full}"), 1, "{full}: No space left on device"),
        (("demo", "{missing}"), 1, "{missing}: No such file or directory"),
        (("play", "{sound}", "--device", "nosuch"), 1, "nosuch: "),
        (("play", "{sound}", "--device", "hw:99"), 1, "hw:99: "),
        (("play", "{sound}", "--device", "sim:a:b"), 1, "'a:b' is no card name"),
        (("info", "nosuch"), 1, "nosuch: "),
        (("record", "{folder}/no/a.wav", "--device", "sim:"), 1, "{folder}/no/a.wav: No such file or directory"),
        (("play", "{sound}", "--device", "sim:", "--period", "99999999"), 1, "period_size 99999999 frames cannot"),
        (("play", "{sound}", "--device", "null", "--sync-ptr"), 1, "null cannot be mapped"),
        (("nosuch",), 2, "invalid choice"),
        (("play",), 2, "FILE"),
        (("play", "{sound}", "--period", "0"), 2, "'0' is no whole number above 0"),
        (("play", "{sound}", "--buffer", "x"), 2, "'x' is no whole number above 0"),
        (("play", "{sound}", "--loud"), 2, "--loud"),
        (("play", "{sound}", "nosuch", "--loud"), 2, "--loud; see alsamm play --help"),
        (("play", "{sound}", "--start", "1e308"), 2, "'1e308' is no number of seconds above 0, and up to 1e+09"),
        (("top", "--every", "1e300"), 2, "'1e300' is no number of seconds above 0, and up to 1e+09"),
        (("latency", "sim:", "--within", "1e9"), 1, "not enough memory: Unable to allocate "),
        (("record", "a.wav", "--seconds", "nan"), 2, "'nan' is no number of seconds above 0"),
        (("record", "a.wav", "--seconds", "-1"), 2, "'-1' is no number of seconds above 0"),
        (("record", "a.wav", "--format", "loud"), 2, "'loud' is no sample format"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(
    cli: Cli, wav: Callable[..., Path], tmp_path: Path, *, arguments: tuple[str, ...], code: int, complaint: str
) -> None:
    (tmp_path / "text").write_text("no sound")
    (tmp_path / "full.html").symlink_to("/dev/full")
    files = {"missing": "missing", "folder": ".", "text": "text", "full": "full.html"}
    names = {"sound": wav(), **{name: tmp_path / file for name, file in files.items()}}
    done = cli(*(word.format(**names) for word in arguments))
    assert (done.code, done.err.count("\n")) == (code, 1)
    assert done.err.startswith("alsamm: ")
    assert complaint.format(**names) in done.err


def test_ctrl_c_is_no_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(alsamm, "cards", interrupt)
    assert main(["list"]) == 130
    assert capsys.readouterr().err == ""


def test_help_shows_examples(process: Cli, cli: Cli) -> None:
    done = process("--help")
    assert (done.code, done.err) == (0, "")
    assert "alsamm record take.wav --seconds 10" in done.out
    assert "exit codes: 0 done; 1 it failed" in done.out
    for module in COMMANDS:
        name = module.__name__.rpartition(".")[2].replace("listing", "list")
        told = cli(name, "--help")
        assert (told.code, told.err) == (0, "")
        assert f"examples:\n  alsamm {name}" in told.out


@pytest.mark.parametrize("module", COMMANDS)
def test_examples_can_be_typed(module: ModuleType) -> None:
    name = module.__name__.rpartition(".")[2].replace("listing", "list")
    *_, action = (action for action in parser()._actions if action.choices)
    assert isinstance(action.choices, dict)
    epilog = action.choices[name].epilog
    for line in epilog.splitlines()[1:]:
        typed, *_ = re.split(r" {2,}", line.strip())
        parts = [re.split(r" [<>] ", part)[0].strip() for part in typed.split("|")]
        (ours,) = (part for part in parts if part.startswith("alsamm "))
        assert parser().parse_args(shlex.split(ours)[1:]).parser.prog == f"alsamm {name}"


def test_every_encoding_and_every_name_can_be_told(
    process: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / os.fsdecode(b"\xff.wav")
    with WavWriter(path, Format.S16_LE, 2, 48_000):
        pass
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8:strict")
    assert "\\udcff.wav" in process("play", path, "--device", "sim:").told("file")
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    done = process("latency", "sim:", "--times", "1")
    assert (done.code, done.err, done.out.splitlines()[-1]) == (0, "", f"4800 {'#' * 40} 1")
    done = process("play", "--help")
    assert (done.code, done.err) == (0, "")


PROGRAM = str(Path(sys.executable).with_name("alsamm"))
"""What pip made of pyproject.toml's entry point."""


def test_where_something_is_missing_the_program_says_so_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "_cffi_backend.py").write_text("raise ModuleNotFoundError('no module', name='_cffi_backend')\n")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [PROGRAM, "list"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert done.stderr.startswith("alsamm: cffi is not installed for ")


def test_without_a_standard_output() -> None:
    command = ["sh", "-c", 'exec "$@" >&-', "sh", PROGRAM, "list"]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_as_a_program(process: Cli, wav: Callable[..., Path]) -> None:
    assert process("--version").out == f"alsamm {alsamm.__version__}\n"
    done = process("demo", wav(), "--device", "sim:")
    assert (done.code, done.err, done.told("equal")[:3]) == (0, "", "yes")
    done = process("play", "/nonexistent")
    assert (done.code, done.out, done.err) == (1, "", "alsamm: /nonexistent: No such file or directory\n")


@pytest.mark.parametrize("arguments", [["list"], ["info", "sim:"]])
def test_a_closed_pipe(arguments: list[str]) -> None:
    readable, writable = os.pipe()
    os.close(readable)
    command = [sys.executable, "-m", "alsamm", *arguments]
    done = subprocess.run(command, stdout=writable, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    os.close(writable)
    assert (done.returncode, done.stderr) == (1, "alsamm: nobody reads the output any more (closed pipe)\n")


@pytest.mark.parametrize("rich", [True, False])
def test_progress_is_for_terminals(wav: Callable[..., Path], rich: bool) -> None:
    leader, terminal = os.openpty()
    hide = "" if rich else "sys.modules['rich'] = None; "
    code = f"import sys; {hide}from alsamm.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "play", str(wav()), "--device", "sim:"]
    environment = {**os.environ, "TERM": "xterm"}
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=terminal, timeout=60, check=False, env=environment)
    os.write(terminal, b"\0")
    shown = b""
    while not shown.endswith(b"\0"):
        shown += os.read(leader, 10_000)
    os.close(leader)
    os.close(terminal)
    assert done.returncode == 0
    assert re.search(rb"playing 0:00.\d of 0:00.1, 0:00.\d left", shown)
    assert b"no xruns" in shown
    assert (b" dB" in shown) == rich  # a meter for each channel
    assert (b"\r\n" in shown) == rich
    assert b"\x1b[2K" in shown if rich else shown.endswith(b"\r\x1b[K\0")
